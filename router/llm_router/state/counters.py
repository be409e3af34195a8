"""Where limits and budgets are counted, as whoever reserves sees it: claims in, a lease or a refusal out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from ..admission.book import Taken, Used
from ..admission.limits import Claim, Tally


class Lease:
    """What one request or attempt has reserved. Settled once, however often it is asked to."""

    __slots__ = ("_settle", "taken")

    def __init__(self, taken: Sequence[Taken], settle: Callable[[Used], None]) -> None:
        self.taken = taken
        self._settle: Callable[[Used], None] | None = settle

    def settle(self, used: Used) -> None:
        """What came of it: tokens and money as they really were; slots are free again."""
        if self._settle is not None:
            settle, self._settle = self._settle, None
            settle(used)


class Reply(Struct, frozen=True):
    """``refused`` is the claim that did not fit; then nothing was taken and there is no lease. ``tallies`` stand in the
    order of the claims; ``down`` means that nobody could be asked, and that the policy is to refuse then."""

    tallies: tuple[Tally, ...] = ()
    lease: Lease | None = None
    refused: Claim | None = None
    down: bool = False


class Counters(Protocol):
    """Outlives configurations: a limit brings its ceiling along."""

    async def reserve(self, claims: Sequence[Claim]) -> Reply:
        """All of the claims, or none."""
        ...
