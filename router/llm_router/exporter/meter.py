"""From llama-server's counters to tokens per second. Pure: readings with their times go in.

What the counters really say (llama.cpp's ``server-task``, ``server-context``):

- ``tokens_predicted_total`` and ``tokens_predicted_seconds_total`` move only when a request *ends*, by the whole of
  that request; ``n_decode_total`` and ``requests_processing`` move live.
- ``tokens_predicted_seconds_total`` sums the time of each slot on its own. Four slots that generate side by side for
  one second add four: tokens over seconds is the speed of *one stream*. The pool's speed is that times the mean
  number of busy slots, and this is tokens over decode steps, because a step yields one token for each busy slot.
- The gauges ``*_tokens_seconds`` are reset by every scrape, whoever scrapes. They are never read here.

Because tokens are booked at the end, both counters are compared over whole *busy spells*: from one reading at which
nothing was under way to the next. A spell that lasts longer than a minute is cut there, where the requests under way
at both ends weigh little against those between. Spells with fewer than eight tokens are added to the next.
"""

from __future__ import annotations

import math

from msgspec import Struct

MIN_TOKENS = 8
MAX_SPELL_S = 60.0
MAX_COUNT = 1e15
"""No counter of a real server gets there; what does is garbage."""


class Reading(Struct, frozen=True, kw_only=True):
    """llama-server's counters at one moment. ``at_s`` is monotonic, ``processing`` how many slots were busy."""

    at_s: float
    tokens: float
    token_seconds: float
    decodes: float
    prompt_tokens: float
    prompt_seconds: float
    processing: int

    @property
    def sane(self) -> bool:
        figures = (self.tokens, self.token_seconds, self.decodes, self.prompt_tokens, self.prompt_seconds)
        return math.isfinite(self.at_s) and all(0 <= figure <= MAX_COUNT for figure in figures)

    def restarted_since(self, before: Reading) -> bool:
        return (
            self.tokens < before.tokens
            or self.token_seconds < before.token_seconds
            or self.decodes < before.decodes
            or self.prompt_tokens < before.prompt_tokens
            or self.prompt_seconds < before.prompt_seconds
        )


class _Busy(Struct, frozen=True):
    """A pool's speed at some load: tokens per second of one stream, times so many streams on average."""

    stream: float
    streams: float

    @property
    def tokens_per_second(self) -> float:
        return self.stream * self.streams


class Served(Struct, frozen=True):
    """Tokens that a server has generated and read since the reading before."""

    tokens: float = 0.0
    prompt_tokens: float = 0.0


NOTHING = Served()


class Meter:
    """Feeds on the readings of one llama-server. No figure is ever NaN or negative; what has not been measured is
    ``None``."""

    def __init__(self) -> None:
        self._last: Reading | None = None
        self._spell: Reading | None = None
        self._spell_is_whole = False
        self._prompts: Reading | None = None
        self._busy: _Busy | None = None
        self._prefill: float | None = None

    def feed(self, reading: Reading, *, slots: int) -> Served:
        """What was served since the last reading. One that makes no sense, or is not later, is passed over."""
        last = self._last
        if not reading.sane or (last is not None and reading.at_s <= last.at_s):
            return NOTHING
        self._last = reading
        if last is None or reading.restarted_since(last):
            self._begin(reading)
            self._prompts = reading
            # What a restarted server has served already counts; what one did before it was known, nobody can date.
            return NOTHING if last is None else Served(reading.tokens, reading.prompt_tokens)
        self._measure_prefill(reading)
        self._measure_busy(reading, max(1, slots))
        return Served(reading.tokens - last.tokens, reading.prompt_tokens - last.prompt_tokens)

    @property
    def capacity(self) -> float | None:
        """Generated tokens per second in the busiest spells, kept while idle."""
        return None if self._busy is None else self._busy.tokens_per_second

    @property
    def prefill(self) -> float | None:
        """Prompt tokens read per second."""
        return self._prefill

    def _begin(self, reading: Reading) -> None:
        self._spell = reading
        self._spell_is_whole = reading.processing == 0

    def _measure_busy(self, reading: Reading, slots: int) -> None:
        spell = self._spell
        if spell is None:
            return
        idle, lasted = reading.processing == 0, reading.at_s - spell.at_s >= MAX_SPELL_S
        if not (idle or lasted):
            return
        if not (self._spell_is_whole or lasted):
            self._begin(reading)
            return
        tokens, seconds = reading.tokens - spell.tokens, reading.token_seconds - spell.token_seconds
        decodes = reading.decodes - spell.decodes
        if tokens < MIN_TOKENS:
            return
        if (stream := ratio(tokens, seconds)) is not None:
            streams = min(float(slots), max(1.0, ratio(tokens, decodes) or 1.0))
            self._busy = _newer(self._busy, _Busy(stream, streams))
        self._begin(reading)

    def _measure_prefill(self, reading: Reading) -> None:
        before = self._prompts
        if before is None:
            return
        tokens, seconds = reading.prompt_tokens - before.prompt_tokens, reading.prompt_seconds - before.prompt_seconds
        if tokens < MIN_TOKENS:
            return
        self._prefill = ratio(tokens, seconds) or self._prefill
        self._prompts = reading


def ratio(amount: float, of: float) -> float | None:
    """``amount / of`` where that is a positive number that can be believed."""
    ratio = amount / of if of > 0 else math.inf
    return ratio if 0 < ratio <= MAX_COUNT else None


def _newer(kept: _Busy | None, found: _Busy) -> _Busy:
    """What a new spell says about the speed when busy.

    A spell at least as busy as the kept one, or faster, replaces it. A less busy one is no measurement of the pool when
    busy, or a quiet hour would make the pool look slow, dear, and so keep it quiet. It says one thing only: a stream
    that has the pool more to itself is never slower, so where it is, the pool itself has become slower.
    """
    if kept is None or found.streams >= kept.streams or found.tokens_per_second >= kept.tokens_per_second:
        return found
    return _Busy(min(kept.stream, found.stream), kept.streams)
