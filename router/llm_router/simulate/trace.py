"""What was asked when: the requests of a trace, thinned, stretched and marked."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace


class Request(Struct, frozen=True):
    """One request: seconds since the trace's first one, its tokens as they turned out (at least 1 of each), and whether
    only a capable target will do. An empty ``model`` is whatever the router picks."""

    at_s: float
    input_tokens: int
    output_tokens: int
    model: str = ""
    capable: bool = False


@dataclass(frozen=True)
class Trace:
    """Requests in order of arrival, the first at 0. ``notes`` say what was done to the source to make a trace of it."""

    requests: tuple[Request, ...]
    notes: tuple[str, ...] = ()

    @property
    def span_s(self) -> float:
        return self.requests[-1].at_s if self.requests else 0.0


def trace_of(requests: Iterable[Request], notes: Sequence[str] = ()) -> Trace:
    """The requests in order, with the first one at 0."""
    ordered = sorted(requests, key=attrgetter("at_s"))
    start = ordered[0].at_s if ordered else 0.0
    return Trace(tuple(replace(r, at_s=r.at_s - start) for r in ordered), tuple(notes))


def thinned(trace: Trace, every: int, seed: int) -> Trace:
    """About one of every ``every`` requests, drawn at random: 1 keeps all, and of no trace nothing is left. Which ones
    they are depends on ``seed`` alone."""
    if every == 1:
        return trace
    draw = random.Random(f"thin {seed}")  # noqa: S311 - repeatable, not secret
    kept = [r for r in trace.requests if draw.random() * every < 1]
    return trace_of(kept or trace.requests[:1], trace.notes)


def stretched(trace: Trace, factor: float) -> Trace:
    """The same requests ``factor`` times as far apart."""
    return Trace(tuple(replace(r, at_s=r.at_s * factor) for r in trace.requests), trace.notes)


def marked(trace: Trace, capable_share: float, seed: int) -> Trace:
    """The same requests, of which about ``capable_share``, drawn at random by ``seed``, need a capable target."""
    draw = random.Random(f"capable {seed}")  # noqa: S311 - repeatable, not secret
    return Trace(tuple(replace(r, capable=draw.random() < capable_share) for r in trace.requests), trace.notes)
