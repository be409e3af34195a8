"""All counters of one process: claims are taken together or not at all, and settled with what was really used."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

from .limits import CHECK, Claim, Limit, Tally, budget_of
from .spending import UNDER_WAY_S, Spending
from .window import Window

KEPT_PERIODS = 3
"""Days, or months: a clock that jumps to another one and back finds what was spent."""


class Taken(Struct, frozen=True):
    """A claim that was taken. ``second`` is where a window has booked it."""

    claim: Claim
    second: int = 0


class Used(Struct, frozen=True, kw_only=True):
    """What a request came to in the end."""

    tokens: int = 0
    nano_usd: int = 0


class Outcome(Struct, frozen=True):
    """``refused`` is the claim that does not fit, the first of them; then nothing is taken. ``tallies`` stand in the
    order of the claims."""

    tallies: tuple[Tally, ...]
    taken: tuple[Taken, ...] = ()
    refused: Claim | None = None


class Book:
    """Pure: ``now`` is monotonic seconds, handed in."""

    def __init__(self) -> None:
        self._windows: defaultdict[str, Window] = defaultdict(Window)
        self._slots: defaultdict[str, int] = defaultdict(int)
        self._spending: dict[str, Spending] = {}
        self._periods: defaultdict[str, list[str]] = defaultdict(list)

    def reserve(self, claims: Sequence[Claim], now: float) -> Outcome:
        waits = [self._wait_s(claim, now) for claim in claims]
        refused = next((claim for claim, wait_s in zip(claims, waits, strict=True) if wait_s), None)
        if refused is not None:
            tallies = (self._tally(claim.limit, wait_s, now) for claim, wait_s in zip(claims, waits, strict=True))
            return Outcome(tuple(tallies), refused=refused)
        taken = tuple(self._take(claim, now) for claim in claims if claim.amount)
        one_more = (self._wait_s(Claim(claim.limit, 1), now) for claim in claims)
        tallies = (self._tally(claim.limit, wait_s, now) for claim, wait_s in zip(claims, one_more, strict=True))
        return Outcome(tuple(tallies), taken)

    def settle(self, taken: Sequence[Taken], used: Used, now: float) -> None:
        """Once for each reservation. Requests stay counted, slots are free again."""
        for one in taken:
            limit, amount = one.claim.limit, one.claim.amount
            if limit.unit == "tokens":
                self._windows[limit.key].settle(one.second, amount, used.tokens, now)
            elif limit.unit == "slots":
                self._slots[limit.key] -= amount
            elif limit.unit == "nano_usd":
                self._spend(limit).settle(amount, used.nano_usd)

    def used(self, limit: Limit, now: float) -> int:
        if limit.unit == "slots":
            return self._slots[limit.key]
        if limit.unit == "nano_usd":
            return self._spend(limit).used
        return self._windows[limit.key].used(now)

    def _spend(self, limit: Limit) -> Spending:
        """The counter of this day or month; that of one long before goes as soon as nothing is reserved in it."""
        known = self._spending.get(limit.key)
        if known is not None:
            return known
        periods = self._periods[budget_of(limit)]
        periods.append(limit.key)
        for earlier in periods[:-KEPT_PERIODS]:
            if not self._spending[earlier].reserved:
                del self._spending[earlier]
                periods.remove(earlier)
        fresh = self._spending[limit.key] = Spending()
        return fresh

    def _wait_s(self, claim: Claim, now: float) -> float:
        limit, amount = claim.limit, claim.amount if claim.amount != CHECK else 1
        if not limit.hard:
            return 0.0
        if limit.unit == "slots":
            return 0.0 if self._slots[limit.key] + amount <= limit.ceiling else UNDER_WAY_S
        if limit.unit == "nano_usd":
            return self._spend(limit).wait_s(amount, limit.ceiling)
        return self._windows[limit.key].wait_s(amount, limit.ceiling, now)

    def _take(self, claim: Claim, now: float) -> Taken:
        limit, amount = claim.limit, claim.amount
        if limit.unit == "slots":
            self._slots[limit.key] += amount
        elif limit.unit == "nano_usd":
            self._spend(limit).take(amount)
        else:
            return Taken(claim, self._windows[limit.key].take(amount, now))
        return Taken(claim)

    def _tally(self, limit: Limit, wait_s: float, now: float) -> Tally:
        windowed = limit.unit in ("requests", "tokens")
        reset_s = self._windows[limit.key].reset_s(now) if windowed else math.inf
        return Tally(self.used(limit, now), wait_s, reset_s)
