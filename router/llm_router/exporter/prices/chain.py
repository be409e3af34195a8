"""All that may know the price of a pool's nodes, in order: the first that knows is believed."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence

from .base import Priced, Quote
from .live import LivePrice


class Fetches:
    """How often each source was asked, by what came of it: a ``Tally``."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def __call__(self, source: str, result: str) -> None:
        self._counts[source, result] += 1

    @property
    def counts(self) -> Mapping[tuple[str, str], int]:
        """By source and result."""
        return self._counts


class Prices:
    """The chain. ``fetches`` is what its live members count in."""

    def __init__(self, members: Sequence[Priced], fetches: Fetches | None = None) -> None:
        self._members = tuple(members)
        self.fetches = fetches or Fetches()

    def quote(self) -> Quote | None:
        return next((quote for member in self._members if (quote := member.quote()) is not None), None)

    @contextlib.asynccontextmanager
    async def refreshing(self) -> AsyncIterator[None]:
        """Asks the live ones in the background for as long as the context is open, and closes them then."""
        live = [member for member in self._members if isinstance(member, LivePrice)]
        tasks = [asyncio.create_task(member.refresh_forever()) for member in live]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for member in live:
                await member.aclose()
