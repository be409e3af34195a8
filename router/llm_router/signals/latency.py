"""How long targets take, to the first content or to the end of the answer, over a rolling window of real requests."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

KEPT = 512
"""Samples kept a target: enough for a steady p95, and a bound on memory."""


class LatencyWindow:
    """Samples of one target, no older than ``window_s``. Times are monotonic seconds, handed in."""

    def __init__(self, window_s: float, percentile: float) -> None:
        self._window_s, self._percentile = window_s, percentile
        self._samples: deque[tuple[float, float]] = deque(maxlen=KEPT)

    def add(self, now: float, ms: float) -> None:
        self._samples.append((now, ms))

    def figures(self, now: float) -> tuple[float | None, float | None]:
        """``(configured percentile, median)`` in ms, ``None`` where the window is empty."""
        while self._samples and self._samples[0][0] < now - self._window_s:
            self._samples.popleft()
        if not self._samples:
            return None, None
        ordered = sorted(ms for _, ms in self._samples)
        return nearest_rank(ordered, self._percentile), nearest_rank(ordered, 50)


def nearest_rank(ordered: Sequence[float], percentile: float) -> float:
    """The smallest value that at least ``percentile`` % of the values do not exceed."""
    rank = -(-len(ordered) * percentile // 100)
    return ordered[max(0, int(rank) - 1)]
