"""Which signatures have been used already: each counts once, whatever clocks do.

No store asks a clock when it may forget a nonce: it forgets one when a signature comes that is ``KEPT_S`` younger, and
keeps the second that the forgotten one was made in. Of such a second nothing is accepted any more, so a clock that is
set back makes no used signature new. Clocks that go on only make no difference: what is that old has expired.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from operator import itemgetter
from typing import Protocol

from ..errors import RouterError

KEPT_S = 75
"""Longer than a signature can live: 5 s of skew before it is made, 60 s of lifetime, 5 s of skew after."""
MAX_RUNS = 64


class ReplayStoreFull(RouterError):
    """No room to remember another nonce: the request must be refused, not forgotten."""


class ReplayStoreDown(RouterError):
    """The store cannot say now whether a nonce was used: the request must be refused."""


class ReplayStoreForgot(RouterError):
    """The store will never know whether a nonce of that second was used: the request must be refused."""


class ReplayStore(Protocol):
    async def use(self, key: str, created: int) -> bool:
        """Remember ``key``; whether it was new. Of all calls with one key at most one is ever told so.
        ``created`` is when it was signed, Unix time; a key has only one.

        Raises ``ReplayStoreFull``, ``ReplayStoreDown`` and ``ReplayStoreForgot``.
        """
        ...


class MemoryReplayStore:
    """One process's memory: right for one gate process, no protection between several."""

    def __init__(self, *, max_entries: int) -> None:
        self._max_entries, self._entries = max_entries, 0
        self._used: dict[int, set[str]] = {}  # by the second in which they were signed
        self._forgotten = Seconds()

    async def use(self, key: str, created: int) -> bool:
        if created not in self._used:
            self._forget(second for second in self._used if second < created - KEPT_S)
        if key in self._used.get(created, ()):
            return False
        if created in self._forgotten:
            raise ReplayStoreForgot("signatures of that second are forgotten: this one may have been used")
        if self._entries >= self._max_entries:  # some may be left from when clocks were ahead
            self._forget(second for second in self._used if second > created + KEPT_S)
        if self._entries >= self._max_entries:
            raise ReplayStoreFull(f"{self._max_entries} signatures are remembered already")
        self._used.setdefault(created, set()).add(key)
        self._entries += 1
        return True

    def _forget(self, seconds: Iterable[int]) -> None:
        for second in list(seconds):
            self._entries -= len(self._used.pop(second))
            self._forgotten.add(second)


class Seconds:
    """A set of whole seconds, kept as runs. Of more than ``MAX_RUNS`` the oldest two become one, together with what
    lies between them: it holds all that was added, and beyond that only what is older than most of it."""

    def __init__(self) -> None:
        self._runs: list[tuple[int, int]] = []  # first and last second of each, in order

    def __contains__(self, second: int) -> bool:
        at = self._ending_from(second)
        return at < len(self._runs) and self._runs[at][0] <= second

    def add(self, second: int) -> None:
        if second in self:
            return
        at = self._ending_from(second - 1)
        if at < len(self._runs) and self._runs[at][0] <= second + 1:
            first, last = self._runs[at]
            self._runs[at] = min(first, second), max(last, second)
        else:
            self._runs.insert(at, (second, second))
        if len(self._runs) > MAX_RUNS:
            self._runs[:2] = [(self._runs[0][0], self._runs[1][1])]

    def _ending_from(self, second: int) -> int:
        """Which run is the first that ends at ``second`` or later."""
        return bisect_left(self._runs, second, key=itemgetter(1))
