"""Which signatures have been used already: each counts once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..errors import RouterError

TTL_S = 75.0
"""Longer than a signature can live: 5 s of skew before it is made, 60 s of lifetime, 5 s of skew after."""


class ReplayStoreFull(RouterError):
    """No room to remember another nonce: the request must be refused, not forgotten."""


class ReplayStoreDown(RouterError):
    """The store cannot say now whether a nonce was used: the request must be refused."""


class ReplayStore(Protocol):
    async def use(self, key: str, created: int) -> bool:
        """Remember ``key`` for ``TTL_S``; whether it was new. Of concurrent calls with one key exactly one is told so.
        ``created`` is when it was signed, Unix time.

        Raises ``ReplayStoreFull`` and ``ReplayStoreDown``.
        """
        ...


class MemoryReplayStore:
    """One process's memory: right for one gate process, no protection between several. ``clock`` is monotonic."""

    def __init__(self, *, max_entries: int, clock: Callable[[], float]) -> None:
        self._max_entries, self._clock = max_entries, clock
        # All entries live equally long, so the order in which they came is the order in which they expire.
        self._expiry: dict[str, float] = {}

    async def use(self, key: str, created: int = 0) -> bool:
        """``created`` does not matter: this memory begins with the process, and so does what the process accepts."""
        now = self._clock()
        self._forget_expired(now)
        if key in self._expiry:
            return False
        if len(self._expiry) >= self._max_entries:
            raise ReplayStoreFull(f"{self._max_entries} signatures are remembered already")
        self._expiry[key] = now + TTL_S
        return True

    def _forget_expired(self, now: float) -> None:
        while self._expiry:
            oldest = next(iter(self._expiry))
            if self._expiry[oldest] > now:
                return
            del self._expiry[oldest]
