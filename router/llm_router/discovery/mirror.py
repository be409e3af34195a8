"""List, then watch: how a registry with revisions is followed without asking again and again."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

from .base import Answer, Instance

RELIST_SPREAD_S = 1.0
"""All routers lose their place at the same moment; they come back within this time, not at once."""


class PlaceLost(Exception):
    """The registry no longer knows what came after the revision that was seen last: list again."""


class Mirror(Protocol):
    """A registry's part that is held here, current up to some revision."""

    async def list(self) -> None:
        """Replace all by what is there now."""
        ...

    def watch(self, for_s: float) -> AsyncGenerator[None, None]:
        """Take in the changes since: yields once connected, then after each change. Ends after about ``for_s`` with
        its place kept; raises ``PlaceLost`` where that cannot be had."""
        ...

    def instances(self) -> tuple[Instance, ...]: ...


class Follower:
    """Answers of a mirrored source. It goes on after a broken connection without listing anew."""

    def __init__(
        self,
        mirror: Mirror,
        refresh_s: float,
        sleep: Callable[[float], Awaitable[None]],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._mirror, self._refresh_s, self._sleep, self._chance = mirror, refresh_s, sleep, chance
        self._in_place = False

    async def answers(self) -> AsyncGenerator[Answer, None]:
        while True:
            if not self._in_place:
                await self._mirror.list()
                self._in_place = True
                yield Answer(self._mirror.instances(), listed=True)
            try:
                async with aclosing(self._mirror.watch(self._refresh_s)) as changes:
                    async for _ in changes:
                        yield Answer(self._mirror.instances(), listed=False)
            except PlaceLost:
                self._in_place = False
                await self._sleep(self._chance() * RELIST_SPREAD_S)
            if not self._mirror.instances():
                self._in_place = False  # only a listing can say that there is really nothing
