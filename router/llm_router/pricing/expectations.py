"""What answers teach about the tokens of those that follow: how a model counts prompts, and how long its answers are.

Everything is learnt from usage that the upstream itself reported, of answers that came to their end. Nothing depends on
a clock. Memory is bounded, whatever callers, keys and models come by.

Prompts: the line from our own estimate to what the model counted (a chat template adds some tokens to every prompt, the
tokenizer scales the rest). Answers: a quantile of the last lengths, for the caller's key and the complexity of what is
asked; where that has too few answers, for the complexity, for the model, and then the same for all models together.
"""

from __future__ import annotations

from collections import OrderedDict

from ..model import Expected, Facts, Usage
from .estimate import PRIOR_OUTPUT_TOKENS, bucket_of
from .recent import Line, RecentLine, RecentQuantile

OUTPUT_SHARE = 0.7
"""Lengths are skewed: their mean, which the bill goes by, lies above the median. Of an exponential distribution it is
the 63 % quantile, of a log-normal one with σ = 1 the 69 % one."""
ENOUGH = 20
"""Answers before a figure is relied on."""
KEPT = 100
"""Answers that a figure is of: enough for a steady quantile, few enough to follow a change of habits."""
MAX_FIGURES = 4096
"""Lengths that are kept, about 2 KiB each; beyond that the one that was not needed for longest is forgotten."""
MAX_MODELS = 512
REFIT_EVERY = 50
"""Answers between two fits of a model's line: a fit sorts them all."""
TOLERANCE = 0.1
"""Smaller changes are not worth telling anybody."""

MAX_INPUT_TOKENS = 10_000_000
MAX_OUTPUT_TOKENS = 1_000_000
"""More is a mistake of whoever counted: no model reads or writes that much at once."""
SLOPES = (0.2, 10.0)
OFFSETS = (-64.0, 4096.0)
"""What tokenizers and chat templates do. Our estimate is of four bytes a token; the worst tokenizers, of one byte a
token, stay well within."""

_Model = str | None
_Place = tuple[str | None, int | None]
"""``(API key, complexity bucket)``; ``None`` is all of them, as it is for the model."""

EVERYWHERE: _Place = (None, None)
_NEEDS_COUNTED_OTHERWISE = frozenset({"vision", "audio"})
_NEEDS_SEVERAL_ANSWERS = frozenset({"n"})


class Expectations:
    """Learns from answers, and says what to expect of a model. One a router; it outlives configurations."""

    def __init__(self, *, max_figures: int = MAX_FIGURES, max_models: int = MAX_MODELS) -> None:
        self._max_figures, self._max_models = max_figures, max_models
        self._prompts: OrderedDict[str, _Prompts] = OrderedDict()
        self._lengths: OrderedDict[tuple[_Model, _Place], RecentQuantile] = OrderedDict()
        self._told: dict[_Model, dict[_Place, int]] = {}
        self._expected: dict[_Model, Expected] = {}

    def of(self, model: str) -> Expected:
        """The same object for as long as nothing has changed."""
        known = self._expected.get(model)
        if known is None:
            own, prompts = self._told.get(model, {}), self._prompts.get(model)
            lengths = own if EVERYWHERE in own else self._told.get(None, {}) | own
            line = Line() if prompts is None else prompts.told
            known = Expected(input_each=line.each, input_more=line.more, output_tokens=dict(lengths))
            if len(self._expected) >= self._max_models:
                self._expected.clear()
            self._expected[model] = known
        return known

    def learn(self, model: str, facts: Facts, usage: Usage) -> bool:
        """Take in one complete answer of ``model``; whether anything that is expected of any model has changed.

        Figures that the router counted itself, and those that no model could have, teach nothing.
        """
        if usage.estimated:
            return False
        changed: set[_Model] = set()
        if 0 < usage.all_input_tokens <= MAX_INPUT_TOKENS and not facts.needs & _NEEDS_COUNTED_OTHERWISE:
            changed |= self._learn_prompt(model, facts.input_tokens, usage.all_input_tokens)
        if 0 < usage.output_tokens <= MAX_OUTPUT_TOKENS and not facts.needs & _NEEDS_SEVERAL_ANSWERS:
            changed |= self._learn_length(model, facts, usage.output_tokens)
        if None in changed:
            self._expected.clear()
        for name in changed:
            self._expected.pop(name, None)
        return bool(changed)

    def _learn_prompt(self, model: str, estimated: int, counted: int) -> set[_Model]:
        prompts = self._prompts.get(model)
        if prompts is None:
            prompts = self._prompts[model] = _Prompts()
        self._prompts.move_to_end(model)
        if len(self._prompts) > self._max_models:
            forgotten, _ = self._prompts.popitem(last=False)
            return {forgotten}
        return {model} if prompts.learn(max(1, estimated), counted) else set()

    def _learn_length(self, model: str, facts: Facts, tokens: int) -> set[_Model]:
        cut = facts.max_tokens is not None and tokens >= facts.max_tokens
        bucket = bucket_of(facts)
        places: list[tuple[_Model, _Place]] = [
            (model, (None, bucket)),
            (model, EVERYWHERE),
            (None, (None, bucket)),
            (None, EVERYWHERE),
        ]
        if facts.key is not None:
            places.append((model, (facts.key, bucket)))
        changed: set[_Model] = set()
        for place in places:
            changed |= self._learn_at(place, tokens, cut=cut)
        return changed

    def _learn_at(self, at: tuple[_Model, _Place], tokens: int, *, cut: bool) -> set[_Model]:
        lengths = self._lengths.get(at)
        if lengths is None:
            lengths = self._lengths[at] = RecentQuantile(OUTPUT_SHARE, KEPT)
        self._lengths.move_to_end(at)
        changed = self._forget_one() if len(self._lengths) > self._max_figures else set()
        known = lengths.value if len(lengths) >= ENOUGH else None
        # An answer that max_tokens cut says "at least this": below what is known already, that is no news.
        if not (cut and tokens < (PRIOR_OUTPUT_TOKENS if known is None else known)):
            lengths.add(tokens)
        if len(lengths) >= ENOUGH and self._tell(at, lengths):
            changed.add(at[0])
        return changed

    def _tell(self, at: tuple[_Model, _Place], lengths: RecentQuantile) -> bool:
        told, value = self._told.setdefault(at[0], {}), lengths.value
        if value is None or _close(value, told.get(at[1])):
            return False
        told[at[1]] = max(1, round(value))
        return True

    def _forget_one(self) -> set[_Model]:
        (model, place), _ = self._lengths.popitem(last=False)
        told = self._told.get(model, {})
        if told.pop(place, None) is None:
            return set()
        if not told:
            del self._told[model]
        return {model}


class _Prompts:
    """How one model counts prompts. ``told`` is what is relied on."""

    __slots__ = ("_line", "_since", "told")

    def __init__(self) -> None:
        self._line = RecentLine(KEPT, slopes=SLOPES, offsets=OFFSETS)
        self._since = REFIT_EVERY - ENOUGH
        self.told = Line()

    def learn(self, estimated: int, counted: int) -> bool:
        """Whether what is told has changed."""
        self._line.add(estimated, counted)
        self._since += 1
        if self._since < REFIT_EVERY:
            return False
        self._since, fitted = 0, self._line.fitted()
        if _close(fitted.each, self.told.each) and abs(fitted.more - self.told.more) <= 1:
            return False
        self.told = fitted
        return True


def _close(value: float, told: float | None) -> bool:
    return told is not None and abs(value - told) <= TOLERANCE * told
