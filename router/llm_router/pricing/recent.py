"""Robust figures of the last so many samples: bounded memory, no clock, and an absurd sample moves them by one rank."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, insort
from collections import deque
from statistics import median

from msgspec import Struct


class RecentQuantile:
    """The exact quantile, by nearest rank, of the last ``kept`` values. ``share`` is 0.5 for the median."""

    __slots__ = ("_arrived", "_ordered", "_share")

    def __init__(self, share: float, kept: int) -> None:
        if not 0 < share <= 1 or kept < 1:
            raise ValueError(f"share must be in 0..1 and kept at least 1, got {share!r} and {kept!r}")
        self._share = share
        self._arrived: deque[float] = deque(maxlen=kept)
        self._ordered = array("d")

    def __len__(self) -> int:
        return len(self._ordered)

    def add(self, value: float) -> None:
        """Raises ``ValueError`` for what is not finite: it has no place in an order."""
        if not math.isfinite(value):
            raise ValueError(f"a sample must be finite, got {value!r}")
        if len(self._arrived) == self._arrived.maxlen:
            del self._ordered[bisect_left(self._ordered, self._arrived[0])]
        self._arrived.append(value)
        insort(self._ordered, value)

    @property
    def value(self) -> float | None:
        if not self._ordered:
            return None
        return self._ordered[max(0, math.ceil(self._share * len(self._ordered)) - 1)]


class Line(Struct, frozen=True):
    """``y = more + each × x``."""

    each: float = 1.0
    more: float = 0.0


LEAST_SPREAD = 2.0
"""Where the large x are not this many times the small ones, two parameters are more than the samples can tell."""


class RecentLine:
    """The line through the last ``kept`` pairs, by Tukey's resistant method: its slope is that between the medians of
    the lower and the upper third, its offset the median of what the slope leaves. Where all x are alike it is the
    median ratio. A slope outside ``slopes``, or an offset outside ``offsets``, is brought to the nearest end."""

    __slots__ = ("_offsets", "_pairs", "_slopes")

    def __init__(self, kept: int, *, slopes: tuple[float, float], offsets: tuple[float, float]) -> None:
        self._pairs: deque[tuple[float, float]] = deque(maxlen=kept)
        self._slopes, self._offsets = slopes, offsets

    def __len__(self) -> int:
        return len(self._pairs)

    def add(self, x: float, y: float) -> None:
        """Raises ``ValueError`` unless ``x`` is above 0 and both are finite."""
        if not (math.isfinite(x) and math.isfinite(y) and x > 0):
            raise ValueError(f"a pair must be finite and x above 0, got {x!r} and {y!r}")
        self._pairs.append((x, y))

    def fitted(self) -> Line:
        """Of no pairs: ``y = x``."""
        if not self._pairs:
            return Line()
        pairs = sorted(self._pairs)
        third = max(1, len(pairs) // 3)
        low, high = pairs[:third], pairs[-third:]
        low_x, high_x = median(x for x, _ in low), median(x for x, _ in high)
        if high_x < LEAST_SPREAD * low_x:
            return Line(_within(median(y / x for x, y in pairs), self._slopes))
        slope = (median(y for _, y in high) - median(y for _, y in low)) / (high_x - low_x)
        each = _within(slope, self._slopes)
        return Line(each, _within(median(y - each * x for x, y in pairs), self._offsets))


def _within(value: float, ends: tuple[float, float]) -> float:
    return min(max(value, ends[0]), ends[1])
