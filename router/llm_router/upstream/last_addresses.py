"""Where names led when the resolver last said so: kept for a minute in which it fails."""

from __future__ import annotations

from collections.abc import Callable

from .egress import Forbidden, permitted_addresses

KEPT_S = 60.0


class LastAddresses:
    """What ``permitted_addresses`` says, and while a name cannot be resolved what it last said, ``KEPT_S`` long at
    most by the monotonic clock ``now``. Only addresses that were judged for the same question are kept, and an answer
    that is refused ends them."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._known: dict[tuple[str, int, bool], tuple[float, list[str]]] = {}

    async def permitted(self, host: str, port: int, *, private: bool) -> list[str]:
        """Raises as ``permitted_addresses`` does."""
        asked = host, port, private
        try:
            addresses = await permitted_addresses(host, port, private=private)
        except Forbidden:
            self._known.pop(asked, None)
            raise
        except OSError:
            found_at, addresses = self._known.get(asked, (float("-inf"), []))
            if self._now() - found_at > KEPT_S:
                raise
            return addresses
        if addresses != [host]:  # an address needs no resolver
            self._known[asked] = self._now(), addresses
        return addresses
