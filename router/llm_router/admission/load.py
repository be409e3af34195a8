"""Load shedding: who is refused first when this process has more to do than it can.

A process that takes everything serves nobody in time. So it takes a bounded number of requests at once, and the last
places, like the last memory, are kept for those that matter most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from ..errors import NoTarget

Criticality = Literal["critical", "default", "sheddable"]
ORDER: tuple[Criticality, ...] = ("sheddable", "default", "critical")

RETRY_AFTER_S = 1.0
_PLACES: Mapping[Criticality, float] = {"sheddable": 0.85, "default": 0.95, "critical": 1.0}
"""The share of all places that may be taken before requests of this kind are refused."""
_MEMORY: Mapping[Criticality, float] = {"sheddable": 0.85, "default": 0.95, "critical": 0.95}
"""The share of the memory limit from which on they are refused."""


class Load:
    """What one process is doing: requests under way, and the share of its memory limit that it uses (0 where there is
    no limit)."""

    def __init__(self) -> None:
        self.under_way = 0
        self.memory_share = 0.0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Counts a request from its first line to its last byte."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    def too_much_for(self, criticality: Criticality, places: int) -> str | None:
        """What there is too much of to take a request, which is counted already: ``requests`` or ``memory``."""
        if self.under_way > max(1, int(places * _PLACES[criticality])):
            return "requests"
        return "memory" if self.memory_share >= _MEMORY[criticality] else None


def lower(one: Criticality, other: Criticality) -> Criticality:
    return min(one, other, key=ORDER.index)


def overloaded(cause: str) -> NoTarget:
    """What a caller is told who was refused for too much of ``cause``."""
    message = f"The router has too much to do ({cause}); try again in a moment."
    return NoTarget(503, "overloaded", message, retry_after_s=RETRY_AFTER_S)
