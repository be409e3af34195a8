"""How often somebody may try a password: few times from one address, and not much more often from all together."""

from __future__ import annotations

from collections import deque
from ipaddress import ip_address, ip_network

WINDOW_S = 60.0
TRIES_OF_ONE = 5
TRIES_OF_ALL = 20
_IPV6_PREFIX = 64
"""So much of an IPv6 address belongs to one subscriber."""


class LoginTries:
    """Those of the last minute. Only tries that may go on are kept, so never more than ``TRIES_OF_ALL``."""

    def __init__(self) -> None:
        self._tries: deque[tuple[float, str]] = deque()

    def take(self, address: str, now: float) -> float:
        """0 where the try may go on, else the seconds until another one may. ``now`` is monotonic."""
        while self._tries and now - self._tries[0][0] >= WINDOW_S:
            self._tries.popleft()
        who = _subscriber(address)
        own = [at for at, other in self._tries if other == who]
        if len(own) >= TRIES_OF_ONE:
            return own[0] + WINDOW_S - now
        if len(self._tries) >= TRIES_OF_ALL:
            return self._tries[0][0] + WINDOW_S - now
        self._tries.append((now, who))
        return 0.0


def _subscriber(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, _IPV6_PREFIX), strict=False))
