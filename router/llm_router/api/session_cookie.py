"""The cookie of the admin listener's sessions. Browsers take one whose name begins with ``__Host-`` only over TLS or
from this machine itself, for this host alone, and let no other host of the domain set it."""

from __future__ import annotations

from collections.abc import Iterable

NAME = "__Host-llmr"
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict"


def session_cookie(session_id: str) -> str:
    return f"{NAME}={session_id}; {_ATTRIBUTES}"


def clearing_cookie() -> str:
    return f"{NAME}=; Max-Age=0; {_ATTRIBUTES}"


def session_in(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The id in raw ASGI headers; ``None`` without one, and where there are several: nobody could say which counts."""
    pairs = (pair for name, raw in headers if name == b"cookie" for pair in raw.decode("latin-1").split(";"))
    found = [value.strip() for name, _, value in (pair.partition("=") for pair in pairs) if name.strip() == NAME]
    return found[0] if len(found) == 1 else None
