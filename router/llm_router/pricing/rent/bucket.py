"""What nodes that are not there could have done, and no more."""

from __future__ import annotations

from msgspec import Struct


class Work(Struct, frozen=True):
    """What a request asks of one node, in seconds of it: to read its prompt, in time for the first token within
    ``limit_s``, and all in all."""

    reading_s: float
    all_s: float
    limit_s: float


class Bucket:
    """A leaky bucket of work: it drains in real time, ``nodes`` times as fast with as many."""

    def __init__(self) -> None:
        self._level_s, self._at = 0.0, float("-inf")

    def has_room(self, work_s: float, depth_s: float, now: float, nodes: int = 1) -> bool:
        """Whether it holds no more than ``depth_s`` seconds of each node with this. An empty one takes whatever comes:
        a request is never too large for a node that has nothing else to do."""
        level_s = self.level_s(now, nodes)
        return level_s <= 0 or level_s + work_s <= depth_s * nodes

    def pour(self, work_s: float, now: float, nodes: int = 1) -> None:
        self._level_s, self._at = self.level_s(now, nodes) + work_s, max(now, self._at)

    def level_s(self, now: float, nodes: int = 1) -> float:
        return max(0.0, self._level_s - max(0.0, now - self._at) * nodes)


class Shadow:
    """Nodes that are not there, as requests would find them: what they still have to read decides whether one that
    comes would be answered in time, and at most ``depth_s`` seconds of all their work pile up."""

    def __init__(self, depth_s: float) -> None:
        self._depth_s = depth_s
        self._reading, self._all = Bucket(), Bucket()

    def takes(self, work: Work, now: float, nodes: int = 1) -> bool:
        """Whether they would have taken it. If so they have it to do."""
        in_time = self._reading.has_room(work.reading_s, work.limit_s, now, nodes)
        if not in_time or not self._all.has_room(work.all_s, self._depth_s, now, nodes):
            return False
        self._reading.pour(work.reading_s, now, nodes)
        self._all.pour(work.all_s, now, nodes)
        return True
