"""Where a name of the configuration may lead: resolved once for each connection, judged, and connected to as judged.

Whoever connects takes an address from here and never the name, so that no second answer of a name server can differ
from the one that was judged (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import socket
from collections import defaultdict
from collections.abc import Iterator

from ..config.hosts import resolved_fault


class Forbidden(OSError):
    """Every address of the host is one that nothing may be sent to."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.EACCES, message)


async def permitted_addresses(host: str, port: int, *, private: bool) -> list[str]:
    """In the order in which to try them: as the resolver prefers them, but the families in turn. ``private`` opens
    private networks and loopback for names. Raises ``OSError`` where the host has no address, ``Forbidden`` where it
    has none that may be used."""
    found = await _resolved(host, port)
    faults = {address: resolved_fault(host, address, private=private) for address in found}
    permitted = [address for address in found if faults[address] is None]
    if not permitted:
        raise Forbidden("; ".join(f"{host} is {address}: {fault}" for address, fault in faults.items()))
    return permitted


async def _resolved(host: str, port: int) -> list[str]:
    try:
        # An address needs no resolver, whose threads may all be waiting for somebody else's name server.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    nth_of_family: defaultdict[int, Iterator[int]] = defaultdict(itertools.count)
    return [str(address[0]) for family, *_, address in sorted(found, key=lambda info: next(nth_of_family[info[0]]))]
