"""Counters of one process. They live as long as it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from ..admission.book import Book
from ..admission.limits import Claim
from ..admission.shares import part_of
from .counters import Lease, Reply


class MemoryCounters:
    """``clock`` is monotonic seconds. Of ``processes`` that know nothing of each other each keeps to its part, and
    takes the others to have used as much as itself."""

    def __init__(self, clock: Callable[[], float], processes: int = 1) -> None:
        self._book, self._clock, self._processes = Book(), clock, processes

    async def reserve(self, claims: Sequence[Claim]) -> Reply:
        asked, many = claims, self._processes > 1
        if many:
            asked = [Claim(part_of(claim, self._processes), claim.amount) for claim in claims]
        outcome = self._book.reserve(asked, self._clock())
        tallies = outcome.tallies
        if many:
            tallies = tuple(replace(tally, used=tally.used * self._processes) for tally in tallies)
        if outcome.refused is not None:
            return Reply(tallies, refused=claims[asked.index(outcome.refused)])
        lease = Lease(outcome.taken, lambda used: self._book.settle(outcome.taken, used, self._clock()))
        return Reply(tallies, lease)
