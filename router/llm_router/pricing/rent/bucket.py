"""A leaky bucket of work: what one node could have done, and no more."""

from __future__ import annotations


class Bucket:
    """``depth_s`` seconds of one node's work fit; it drains in real time, ``nodes`` times as fast with as many."""

    def __init__(self, depth_s: float) -> None:
        self._depth_s = depth_s
        self._level_s, self._at = 0.0, float("-inf")

    def takes(self, work_s: float, now: float, nodes: int = 1) -> bool:
        """Pour ``work_s`` in if there is room. An empty bucket takes whatever comes: a request is never too large for
        a node that has nothing else to do."""
        level_s = self.level_s(now, nodes)
        if level_s > 0 and level_s + work_s > self._depth_s * nodes:
            return False
        self._level_s, self._at = level_s + work_s, max(now, self._at)
        return True

    def level_s(self, now: float, nodes: int = 1) -> float:
        return max(0.0, self._level_s - max(0.0, now - self._at) * nodes)
