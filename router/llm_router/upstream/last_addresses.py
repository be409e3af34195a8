"""Where names led when the resolver last said so: kept for a minute in which it fails, or does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .egress import Forbidden, permitted_addresses

KEPT_S = 60.0
PATIENCE_S = 0.5
"""How long the resolver is waited for where a name is known by an earlier answer."""

Asked = tuple[str, int, bool]


class LastAddresses:
    """What ``permitted_addresses`` says, and while a name cannot be resolved what it last said, ``KEPT_S`` long at
    most by the monotonic clock ``now``. Only addresses that were judged for the same question are kept, and an answer
    that is refused ends them.

    However many ask, a name is looked up once at a time, and to its end though nobody waits any more: a lookup cannot
    be stopped, and each holds one of the resolver's few threads, which other names need.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._known: dict[Asked, tuple[float, list[str]]] = {}
        self._lookups: dict[Asked, asyncio.Task[list[str]]] = {}

    async def permitted(self, host: str, port: int, *, private: bool) -> list[str]:
        """Raises as ``permitted_addresses`` does."""
        asked = host, port, private
        found_at, known = self._known.get(asked, (float("-inf"), []))
        usable = self._now() - found_at <= KEPT_S
        try:
            async with asyncio.timeout(PATIENCE_S if usable else None):
                return await asyncio.shield(self._lookup(asked))
        except Forbidden:
            raise
        except OSError:  # TimeoutError, too
            if not usable:
                raise
            return known

    def _lookup(self, asked: Asked) -> asyncio.Task[list[str]]:
        lookup = self._lookups.get(asked)
        if lookup is None:
            lookup = self._lookups[asked] = asyncio.create_task(self._look_up(asked))
            lookup.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # though nobody waits
        return lookup

    async def _look_up(self, asked: Asked) -> list[str]:
        host, port, private = asked
        try:
            addresses = await permitted_addresses(host, port, private=private)
        except Forbidden:
            self._known.pop(asked, None)
            raise
        finally:
            del self._lookups[asked]
        if addresses != [host]:  # an address needs no resolver
            self._known[asked] = self._now(), addresses
        return addresses
