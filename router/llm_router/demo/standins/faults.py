"""What a stand-in does wrong, and when: pure rules, played out by ``delivery.py``.

A fault applies to requests that ask for an answer. ``after_events`` counts the events of a stream, of whatever kind
(OpenAI's role chunk and Anthropic's ``message_start``, block start and ``ping`` come before the first content).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, cast

from msgspec import Meta, Struct, structs

from .dialect import Document, Frame, Trouble

Kind = Literal[
    "status",
    "rate_limit",
    "quota",
    "overloaded",
    "context_overflow",
    "content_policy",
    "empty_200_error",
    "error_first_event",
    "reset",
    "silence",
    "slow_first_token",
    "stall",
    "cut",
    "malformed",
    "no_done",
]
How = Literal["chunked", "eof", "reset"]

_TROUBLES = frozenset({"status", "rate_limit", "quota", "overloaded", "context_overflow", "content_policy"})
_PLAYED = frozenset({"slow_first_token", "stall", "cut", "malformed", "no_done", "overloaded", "error_first_event"})
_SPOILT = 10


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of failure.

    - ``status``: an error of HTTP status ``status``; ``rate_limit``: 429, saying ``retry_after`` (seconds or an HTTP
      date) in the provider's own way; ``quota``: out of money, waiting does not help; ``overloaded``: 529 or 503, or
      as an event inside the stream where ``after_events`` is set; ``context_overflow``; ``content_policy``.
    - ``empty_200_error``: an error body with status 200; ``error_first_event``: a stream that begins with its error.
    - ``reset``: TCP RST before a byte of the answer; ``silence``: nothing for ``seconds``, or until the caller leaves.
    - ``slow_first_token``: headers and metadata at once, content after ``seconds``; ``stall``: after ``after_events``
      nothing for ``seconds``, or until the caller leaves. ``ping_s``: meanwhile a keep-alive as often as that.
    - ``cut``: the stream ends after ``after_events``; ``malformed``: that event's JSON is broken, the rest follows;
      ``no_done``: all but the end marker, and an orderly end after ``seconds``.

    ``how`` says how an answer is framed and broken off: in chunks whose last never comes, delimited by the end of the
    connection (an orderly EOF to whoever counts no tokens), or by RST. ``after_events`` left out is half of the
    stream; ``times`` left out is until cleared. ``everywhere`` includes lists of models and token counting.
    """

    kind: Kind
    times: Annotated[int, Meta(ge=1)] | None = None
    after_events: Annotated[int, Meta(ge=0)] | None = None
    seconds: Annotated[float, Meta(ge=0)] | None = None
    ping_s: Annotated[float, Meta(gt=0)] | None = None
    retry_after: str | None = None
    status: Annotated[int, Meta(ge=400, le=599)] = 500
    how: How = "chunked"
    everywhere: bool = False

    @property
    def trouble(self) -> Trouble | None:
        """The error that comes in the answer's place, where that is what this fault is."""
        if self.kind == "overloaded" and self.after_events is not None:
            return None
        if self.kind == "empty_200_error":
            return "status"
        return cast(Trouble, self.kind) if self.kind in _TROUBLES else None


class Pause(Struct, frozen=True):
    """Nothing for ``seconds`` (``None``: until the caller leaves), but a keep-alive every ``ping_s``."""

    seconds: float | None
    ping_s: float | None = None


class Break(Struct, frozen=True):
    how: How


Act = Frame | Pause | Break


class Faults:
    """The faults that are still to come: the first that fits a request applies, as often as it says."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, *, generates: bool) -> Fault | None:
        for index, fault in enumerate(self._waiting):
            if generates or fault.everywhere:
                if fault.times == 1:
                    del self._waiting[index]
                elif fault.times is not None:
                    self._waiting[index] = structs.replace(fault, times=fault.times - 1)
                return fault
        return None


def play(frames: Sequence[Frame], fault: Fault | None, error: Frame) -> Iterator[Act]:
    """What reaches the caller of a stream of ``frames``; ``error`` is how it says that it failed."""
    if fault is None or fault.kind not in _PLAYED:
        yield from frames
        return
    if fault.kind == "no_done":
        yield from (frame for frame in frames if not frame.terminal)
        yield Pause(fault.seconds or 0.0, fault.ping_s)
        return
    at = _position(frames, fault)
    yield from frames[:at]
    match fault.kind:
        case "slow_first_token" | "stall":
            yield Pause(fault.seconds, fault.ping_s)
            yield from frames[at:]
        case "cut":
            yield Break(fault.how)
        case "malformed":
            yield structs.replace(frames[at], data=_spoilt(frames[at].data))
            yield from frames[at + 1 :]
        case "overloaded" | "error_first_event":
            yield error


def in_parts(document: Document) -> list[Frame]:
    """A document as two frames, so that it can break off in the middle."""
    half = len(document.body) // 2
    return [Frame(data=document.body[:half]), Frame(data=document.body[half:])]


def _position(frames: Sequence[Frame], fault: Fault) -> int:
    """The index of the first frame that ``fault`` concerns; the last frame at most, so that no stream ends well."""
    if fault.kind == "error_first_event":
        return 0
    if fault.kind == "slow_first_token":
        return next((index for index, frame in enumerate(frames) if frame.tokens), 0)
    asked = len(frames) // 2 if fault.after_events is None else fault.after_events
    return min(asked, len(frames) - 1)


def _spoilt(data: bytes) -> bytes:
    """``data`` of the same length and framing, with its JSON left open."""
    payload = data.rstrip()
    return payload[:-_SPOILT] + b" " * _SPOILT + data[len(payload) :]
