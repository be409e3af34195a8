"""The shared state is reachable, and nothing secret goes to it over an open wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from ..decode import SecretUse
from ..findings import Finding
from ..hosts import host_fault, is_loopback
from ..schema import RedisServer
from .draft import Draft

Fault = tuple[tuple[str, ...], str]
"""Where, below the section that says how Redis is reached, and what is wrong there."""


def holds_a_secret(use: SecretUse) -> bool:
    """An address of Redis may hold a password; without one nobody has to hide it."""
    return use.path != ("state", "url") or "@" in use.value


def sections_fit_the_backend(draft: Draft) -> Iterator[Finding]:
    state = draft.config.state
    yield from _in_state(backend_faults(state, state.backend))


def address_is_sane(draft: Draft) -> Iterator[Finding]:
    yield from _in_state(address_faults(draft.config.state))


def _in_state(faults: Iterator[Fault]) -> Iterator[Finding]:
    for path, message in faults:
        yield Finding(("state", *path), message)


def backend_faults(server: RedisServer, backend: Literal["memory", "redis"]) -> Iterator[Fault]:
    """What of ``server`` does not go with ``backend``."""
    if backend == "redis" and server.url is None:
        yield ("url",), "missing: say where Redis is, such as redis://127.0.0.1:6379/0"
    if backend == "memory" and server.url is not None:
        yield ("url",), "has no meaning with backend memory: remove it, or set backend: redis"
    if server.tls is not None and (server.tls.cert_file is None) != (server.tls.key_file is None):
        missing = "certFile" if server.tls.cert_file is None else "keyFile"
        yield ("tls", missing), "missing: certificate and key go together"


def address_faults(server: RedisServer) -> Iterator[Fault]:
    """What is wrong with where ``server`` is."""
    if server.url is None:
        return
    try:
        parts = urlsplit(server.url)
        _ = parts.port  # Only asking for the port checks it.
    except ValueError:
        yield ("url",), "no URL: write redis://HOST:PORT/NUMBER"
        return
    fault = _fault(parts, private=server.private)
    if fault is not None:
        yield ("url",), fault
    elif parts.password is not None and server.password is not None:
        yield ("password",), "the URL holds one already: keep one of the two"
    elif server.tls is not None and parts.scheme != "rediss":
        yield ("tls",), "has no meaning without TLS: write rediss://"


def _fault(parts: SplitResult, *, private: bool) -> str | None:
    if parts.scheme == "unix":
        return None if parts.path else "names no socket: write unix:///path"
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        return "must be redis://HOST, rediss://HOST or unix:///path"
    if parts.query or parts.fragment:
        return "must end with the database's number: the rest is said with the other keys"
    if parts.path.strip("/") and not parts.path.strip("/").isdigit():
        return "must end with the database's number, such as /0"
    if parts.scheme == "redis" and not private and not is_loopback(parts.hostname):
        return "without TLS on loopback only: use rediss, or say private: true for a network of your own"
    return host_fault(parts.hostname)
