"""What a wire format is: one file per upstream protocol, all behind the same small protocol.

A wire turns the caller's chat request into the upstream's HTTP request, understands each event of the upstream's
stream, and brings its errors into the router's terms. It does no I/O. What it hands on is a ``Piece``: the event in
OpenAI's chat terms (every front door can encode that), with the upstream's own bytes beside it where they can pass
through unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from ...errors import UpstreamRefused
from ...model import Finish, Usage
from ...routing.facts import ChatRequest


class Outgoing(Struct, frozen=True):
    """An HTTP request to an upstream, relative to the target's base URL, without credentials."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    dropped: tuple[str, ...] = ()
    """Names of hints (``seed``, ``user`` …) that this upstream cannot take and that were left out."""


class Piece(Struct, kw_only=True):
    """One upstream event, understood.

    ``delta`` is OpenAI's ``choices[0].delta`` (``None`` where the event carries none), ``content`` is true when the
    event carries something that the reader of the answer sees (text, refusal, reasoning, tool call): that is the
    commit point. ``raw`` is the event's JSON as it came, set only by upstreams that speak OpenAI chat themselves.
    ``usage`` is the running total up to here, so the last one of an answer counts; one marked as estimated is for
    answers that break before the upstream has said its own. ``terminal`` is true on the upstream's own terminal event
    ([DONE], message_stop).
    """

    raw: bytes | None = None
    delta: dict[str, Any] | None = None
    content: bool = False
    finish: Finish | None = None
    usage: Usage | None = None
    model: str | None = None
    terminal: bool = False
    usage_only: bool = False
    """The event carries usage and no choice: a client that did not ask for usage does not get it."""


class CompleteAnswer(Struct, frozen=True):
    """What the router needs to know of an answer that came whole."""

    usage: Usage | None
    finish: Finish
    model: str | None


class Reader(Protocol):
    """Reads one answer's stream. Holds the state of that one answer (block indexes, running usage)."""

    def read(self, event: bytes, name: str = "") -> Piece | None:
        """One SSE event's data (and its name) → a piece, or ``None`` for events without meaning here (ping).

        Raises ``UpstreamRefused`` for an error event inside the stream, ``UpstreamBroken`` for malformed data.
        """
        ...

    def end(self) -> Piece | None:
        """To be asked at the end of the stream: a terminal piece if the answer had finished (a finish reason was
        seen), ``None`` if it was cut."""
        ...


class Wire(Protocol):
    """One upstream protocol.

    ``collects`` is true where a stream is asked for whatever the caller wants: the answer is then collected for a
    caller who does not stream.
    """

    @property
    def name(self) -> str: ...

    @property
    def collects(self) -> bool: ...

    def outgoing(self, chat: ChatRequest, model: str, *, stream: bool) -> Outgoing:
        """The upstream's request for ``chat``, answered by ``model``. ``stream=False`` is only asked of wires whose
        ``collects`` is false. Raises ``ClientError`` naming the field that this upstream cannot express."""
        ...

    def credentials(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """The headers that carry the key."""
        ...

    def reader(self) -> Reader: ...

    def answer(self, body: bytes) -> CompleteAnswer:
        """A whole, not streamed answer, validated: it goes to the caller as it came. Only asked of wires whose
        ``collects`` is false. Raises ``UpstreamRefused`` for an error with status 200, ``UpstreamBroken`` for what is
        no complete answer."""
        ...

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
        """An HTTP error answer in the router's terms. ``headers`` is asked for lower-case names."""
        ...

    def unsupported(self, needs: frozenset[str]) -> frozenset[str]:
        """Those of ``Facts.needs`` that this upstream cannot express: the target is not eligible for them."""
        ...
