"""Load shedding: who is refused first when this process has more to do than it can.

A process that takes everything serves nobody in time. So it takes a bounded number of requests at once, and the last
places, like the last memory, are kept for those that matter most. Of the places that a request may have, the last tenth
is for keys that hold less than an equal part of the others: however much one key asks, there is a place for who comes
next, and as answers end the parts become equal. Nobody waits for a place, so there is no queue to be fair in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from ..errors import NoTarget

Criticality = Literal["critical", "default", "sheddable"]
Cause = Literal["requests", "memory", "key"]
ORDER: tuple[Criticality, ...] = ("sheddable", "default", "critical")

RETRY_AFTER_S = 1.0
_PLACES: Mapping[Criticality, float] = {"sheddable": 0.85, "default": 0.95, "critical": 1.0}
"""The share of all places that may be taken before requests of this kind are refused."""
_MEMORY: Mapping[Criticality, float] = {"sheddable": 0.85, "default": 0.95, "critical": 0.95}
"""The share of the memory limit from which on they are refused."""
_KEPT_FREE = 0.1
"""The share of those places that is for keys which hold less than their part of the rest."""
_WHY: Mapping[Cause, str] = {
    "requests": "requests",
    "memory": "memory",
    "key": "the last places are for keys with fewer requests under way",
}


class Place:
    """One request under way."""

    __slots__ = ("_held", "_key")

    def __init__(self, held: dict[str, int]) -> None:
        self._held = held
        self._key: str | None = None

    def taken_by(self, key: str) -> None:
        """Whose it is: to be said once, when it is known."""
        self._key = key
        self._held[key] = self._held.get(key, 0) + 1

    def leave(self) -> None:
        if self._key is not None:
            self._held[self._key] -= 1
            if not self._held[self._key]:
                del self._held[self._key]


class Load:
    """What one process is doing: requests under way, of each key if they have one, and the share of its memory limit
    that it uses (0 where there is no limit)."""

    def __init__(self) -> None:
        self.under_way = 0
        self.memory_share = 0.0
        self._held: dict[str, int] = {}

    @contextmanager
    def request(self) -> Iterator[Place]:
        """Counts a request from its first line to its last byte."""
        self.under_way += 1
        place = Place(self._held)
        try:
            yield place
        finally:
            self.under_way -= 1
            place.leave()

    def too_much_for(self, criticality: Criticality, places: int, key: str | None = None) -> Cause | None:
        """What there is too much of to take a request, which is counted already, as one of ``key`` where it shares the
        process with others."""
        places = max(1, int(places * _PLACES[criticality]))
        if self.under_way > places:
            return "requests"
        if self.memory_share >= _MEMORY[criticality]:
            return "memory"
        shared = places - int(places * _KEPT_FREE)
        if key is not None and self.under_way > shared and self._held[key] > max(1.0, shared / len(self._held)):
            return "key"
        return None


def lower(one: Criticality, other: Criticality) -> Criticality:
    return min(one, other, key=ORDER.index)


def overloaded(cause: Cause) -> NoTarget:
    """What a caller is told who was refused for too much of ``cause``."""
    message = f"The router has too much to do ({_WHY[cause]}); try again in a moment."
    return NoTarget(503, "overloaded", message, retry_after_s=RETRY_AFTER_S)
