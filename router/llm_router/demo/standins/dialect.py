"""What a stand-in's protocol is: one file per provider turns a request into a reply, or refuses it as the real one
does. No I/O: how a reply reaches the caller, and what goes wrong on the way, is ``delivery.py``'s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

EVENTS = "text/event-stream"

Header = tuple[str, str]
Trouble = Literal[
    "status", "rate_limit", "quota", "overloaded", "context_overflow", "content_policy", "too_large", "malformed_json"
]


class Request(Struct, frozen=True, kw_only=True):
    """An HTTP request as it came, header names in lower case."""

    method: str
    path: str
    query: str = ""
    headers: tuple[Header, ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)

    def parameter(self, name: str) -> str | None:
        return dict(parse_qsl(self.query)).get(name)

    @property
    def bearer(self) -> str | None:
        scheme, _, token = (self.header("authorization") or "").partition(" ")
        return token if scheme.lower() == "bearer" and token else None


class Document(Struct, frozen=True, kw_only=True):
    """A reply in one piece. ``tokens`` are those generated for it, which take their time."""

    body: bytes
    status: int = 200
    headers: Sequence[Header] = ()
    content_type: str = "application/json"
    tokens: int = 0


class Frame(Struct, frozen=True, kw_only=True):
    """One event of a stream, framing included. ``tokens`` are those it carries, ``terminal`` marks the protocol's own
    end marker: what a stream that ends too early lacks."""

    data: bytes
    tokens: int = 0
    terminal: bool = False


class Stream(Struct, frozen=True, kw_only=True):
    """A reply in events. Only in ``EVENTS`` can keep-alives and errors stand between them."""

    frames: Sequence[Frame]
    headers: Sequence[Header] = ()
    content_type: str = EVENTS


Reply = Document | Stream


class Refused(Exception):
    """The request is refused with ``reply``, as the real provider would."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply)
        self.reply = reply


class Dialect(Protocol):
    """One provider's protocol. ``name`` names it in paths and options; ``ping`` is what keeps a stream alive without
    content; a body above ``max_body`` bytes is refused."""

    name: str
    ping: bytes
    max_body: int

    def generates(self, request: Request) -> bool:
        """True for requests that ask for an answer: those that faults apply to."""
        ...

    def reply(self, request: Request) -> Reply:
        """Raises ``Refused`` for what the real provider refuses."""
        ...

    def trouble(self, kind: Trouble, request: Request, *, status: int = 500, retry_after: str | None = None) -> Reply:
        """How this provider says that something went wrong. ``status`` counts for ``kind`` ``status`` only;
        ``retry_after`` (seconds or an HTTP date) is said in the provider's own way."""
        ...

    def error_frame(self) -> Frame:
        """``overloaded`` as an event inside a stream that already runs."""
        ...


def retry_header(retry_after: str | None) -> list[Header]:
    return [] if retry_after is None else [("retry-after", retry_after)]


def dump(value: Any) -> bytes:
    return msgspec.json.encode(value)


def load_object(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``. Raises ``ValueError`` for anything else."""
    value = msgspec.json.decode(body)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value
