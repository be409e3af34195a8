"""Counters of one process. They live as long as it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..admission.book import Book
from ..admission.limits import Claim
from .counters import Lease, Reply


class MemoryCounters:
    """``clock`` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._book, self._clock = Book(), clock

    async def reserve(self, claims: Sequence[Claim]) -> Reply:
        outcome = self._book.reserve(claims, self._clock())
        if outcome.refused is not None:
            return Reply(outcome.tallies, refused=outcome.refused)
        lease = Lease(outcome.taken, lambda used: self._book.settle(outcome.taken, used, self._clock()))
        return Reply(outcome.tallies, lease)
