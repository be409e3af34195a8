"""The shared state is reachable, and nothing secret goes to it over an open wire."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from ..decode import SecretUse
from ..findings import Finding
from ..hosts import host_fault, is_loopback
from .draft import Draft


def holds_a_secret(use: SecretUse) -> bool:
    """An address of Redis may hold a password; without one nobody has to hide it."""
    return use.path != ("state", "url") or "@" in use.value


def sections_fit_the_backend(draft: Draft) -> Iterator[Finding]:
    state = draft.config.state
    if state.backend == "redis" and state.url is None:
        yield Finding(("state", "url"), "missing: say where Redis is, such as redis://127.0.0.1:6379/0")
    if state.backend == "memory" and state.url is not None:
        yield Finding(("state", "url"), "has no meaning with backend memory: remove it, or set backend: redis")
    if state.tls is not None and (state.tls.cert_file is None) != (state.tls.key_file is None):
        missing = "certFile" if state.tls.cert_file is None else "keyFile"
        yield Finding(("state", "tls", missing), "missing: certificate and key go together")


def address_is_sane(draft: Draft) -> Iterator[Finding]:
    state = draft.config.state
    if state.url is None:
        return
    try:
        parts = urlsplit(state.url)
        _ = parts.port  # Only asking for the port checks it.
    except ValueError:
        yield Finding(("state", "url"), "no URL: write redis://HOST:PORT/NUMBER")
        return
    fault = _fault(parts, private=state.private)
    if fault is not None:
        yield Finding(("state", "url"), fault)
    elif parts.password is not None and state.password is not None:
        yield Finding(("state", "password"), "the URL holds one already: keep one of the two")
    elif state.tls is not None and parts.scheme != "rediss":
        yield Finding(("state", "tls"), "has no meaning without TLS: write rediss://")


def _fault(parts: SplitResult, *, private: bool) -> str | None:
    if parts.scheme == "unix":
        return None if parts.path else "names no socket: write unix:///path"
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        return "must be redis://HOST, rediss://HOST or unix:///path"
    if parts.query or parts.fragment:
        return "must end with the database's number: the rest is said with keys of state"
    if parts.path.strip("/") and not parts.path.strip("/").isdigit():
        return "must end with the database's number, such as /0"
    if parts.scheme == "redis" and not private and not is_loopback(parts.hostname):
        return "without TLS on loopback only: use rediss, or say private: true for a network of your own"
    return host_fault(parts.hostname)
