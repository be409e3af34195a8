"""What is still to be told to Redis: what requests came to, and which leases run on. Pure but for an event to wait for.

Entries go out in batches, one at a time, each under a number; a batch whose answer was lost goes out again as it was.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ..admission.book import Taken, Used
from ..admission.limits import Claim, Limit
from ..model import LimitUnit

LEASED: frozenset[LimitUnit] = frozenset({"slots", "nano_usd"})
"""What a request holds until it ends; what a window counts leaves it by itself."""
MAX_BATCH = 500
MAX_WAITING = 50_000
"""Beyond it only money is kept, added up: slots and tokens come free by themselves."""
UNTIL_THE_PERIOD_IS_OVER_S = 2 * 86_400
"""For so long a budget's counters outlive their day or month: what began in it may end after it."""

Entry = tuple[Any, ...]


class Settling:
    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._batch: list[Entry] = []
        self._number = 0
        self._owed: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._unbooked: defaultdict[str, int] = defaultdict(int)
        self._running: dict[str, Sequence[Taken]] = {}
        self._woken = asyncio.Event()

    # ------------------------------------------------------------ what happens

    def opened(self, lease: str, taken: Sequence[Taken]) -> None:
        kept = [one for one in taken if one.claim.limit.unit in LEASED]
        if kept:
            self._running[lease] = kept

    def closed(self, lease: str, taken: Sequence[Taken], used: Used) -> None:
        self._running.pop(lease, None)
        for one in taken:
            limit, amount = one.claim.limit, one.claim.amount
            if limit.unit == "tokens" and used.tokens != amount:
                self._add(("tokens", limit.key, one.second, used.tokens - amount))
            elif limit.unit == "slots":
                self._add(("slots", limit.key, lease))
            elif limit.unit == "nano_usd":
                self._spent(limit, lease, amount, used.nano_usd)

    def spent(self, taken: Sequence[Taken], used: Used) -> None:
        """Money that no lease in Redis stands for."""
        for one in taken:
            if one.claim.limit.unit == "nano_usd" and used.nano_usd:
                self._spent(one.claim.limit, "", 0, used.nano_usd)

    def forget(self, lease: str, claims: Sequence[Claim]) -> None:
        """A reservation of which nobody knows whether it was made."""
        self.closed(lease, [Taken(claim) for claim in claims if claim.amount and claim.limit.unit in LEASED], Used())

    def renew(self) -> None:
        for lease, kept in self._running.items():
            for one in kept:
                limit, amount = one.claim.limit, one.claim.amount
                if limit.unit == "slots":
                    self._add(("keep_slots", limit.key, lease))
                else:
                    self._add(("keep_nano_usd", limit.key, lease, amount, expiry(limit)))

    def unbooked(self, limit: Limit) -> int:
        """Nano-USD that were spent and that Redis has not confirmed."""
        return self._unbooked.get(limit.key, 0)

    # ------------------------------------------------------------ batches

    @property
    def waiting(self) -> bool:
        return bool(self._entries or self._batch or self._owed)

    async def wait(self, timeout_s: float) -> bool:
        """Whether there is something to tell, within that time."""
        if not self.waiting:
            self._woken.clear()
            try:
                async with asyncio.timeout(max(0.0, timeout_s)):
                    await self._woken.wait()
            except TimeoutError:
                return False
        return True

    def wake(self) -> None:
        self._woken.set()

    def batch(self) -> tuple[int, list[Entry]]:
        """The next one, or again the one that was not yet confirmed."""
        if not self._batch:
            self._number += 1
            for (key, expires_at), nano_usd in self._owed.items():
                self._entries.append(("nano_usd", key, "", 0, nano_usd, expires_at))
            self._owed.clear()
            self._batch, self._entries = self._entries[:MAX_BATCH], self._entries[MAX_BATCH:]
        return self._number, self._batch

    def booked(self) -> None:
        for entry in self._batch:
            if entry[0] == "nano_usd":
                self._unbooked[entry[1]] -= entry[4]
                if not self._unbooked[entry[1]]:
                    del self._unbooked[entry[1]]
        self._batch = []

    def _spent(self, limit: Limit, lease: str, reserved: int, spent: int) -> None:
        if spent:
            self._unbooked[limit.key] += spent
        entry = ("nano_usd", limit.key, lease, reserved, spent, expiry(limit))
        if not self._add(entry) and spent:
            self._owed[limit.key, expiry(limit)] += spent

    def _add(self, entry: Entry) -> bool:
        self._woken.set()
        if len(self._entries) >= MAX_WAITING:
            return False
        self._entries.append(entry)
        return True


def expiry(limit: Limit) -> int:
    """The Unix time at which Redis may forget a budget's counters."""
    return int(limit.ends_at) + UNTIL_THE_PERIOD_IS_OVER_S
