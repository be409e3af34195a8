"""Server-sent events: taken apart as they come in, put together as they go out.

The format is WHATWG's (HTML, section 9.2). Bytes are never decoded, so a character split between two chunks is nothing
special; ``id`` and ``retry`` have no meaning between a router and its upstream and are skipped.
"""

from __future__ import annotations

import re

from msgspec import Struct

from ..errors import UpstreamBroken

MAX_EVENT_BYTES = 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Event(Struct, frozen=True, gc=False):
    """``data`` holds the event's data lines joined with a newline, ``name`` is empty where the event has none."""

    data: bytes
    name: str = ""


class Splitter:
    """Takes one stream apart. However the stream is cut into chunks, the same events come out, each as soon as the
    line that ends it is there."""

    __slots__ = ("_after_cr", "_begun", "_held", "_held_bytes", "_max_event_bytes")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._held: list[bytes] = []  # never joined before the event is complete: many small chunks stay linear
        self._held_bytes = 0
        self._after_cr = False
        self._begun = False

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that this chunk completes. Raises ``UpstreamBroken`` for an event that is too large."""
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_line_feeds(chunk)
        if not self._completes(chunk):
            self._hold(chunk)
            return []
        if self._held:
            chunk = b"".join((*self._held, chunk))
            self._held.clear()
            self._held_bytes = 0
        *blocks, rest = chunk.split(b"\n\n")
        if not self._begun:
            self._begun = True
            blocks[0] = blocks[0].removeprefix(_BOM)
        events = []
        for block in blocks:
            if len(block) > self._max_event_bytes:
                raise self._too_large()
            if block.startswith(b"data: ") and b"\n" not in block:
                events.append(Event(block[6:]))
            elif (event := _event(block)) is not None:
                events.append(event)
        self._hold(rest)
        return events

    def close(self) -> bool:
        """The stream has ended: whether it was cut inside an event."""
        rest = b"".join(self._held)
        if not self._begun:
            rest = rest.removeprefix(_BOM)
        return any(line and not line.startswith(b":") for line in rest.split(b"\n"))

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        """Every line end as LF, also where CR and LF come in two chunks."""
        if not chunk:
            return chunk
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _completes(self, chunk: bytes) -> bool:
        if b"\n\n" in chunk:
            return True
        return bool(self._held) and chunk.startswith(b"\n") and self._held[-1].endswith(b"\n")

    def _hold(self, part: bytes) -> None:
        if not part:
            return
        self._held.append(part)
        self._held_bytes += len(part)
        if self._held_bytes > self._max_event_bytes + 1:  # one more may be the line end that does not count
            raise self._too_large()

    def _too_large(self) -> UpstreamBroken:
        return UpstreamBroken(f"an event of the stream is larger than {self._max_event_bytes} bytes")


def event(data: bytes) -> bytes:
    """``data`` as one event without a name."""
    if b"\n" in data or b"\r" in data:
        data = _LINE_END.sub(b"\ndata: ", data)
    return b"data: " + data + b"\n\n"


def comment(text: str) -> bytes:
    """``text`` as a comment, which every reader skips."""
    return b": " + _LINE_END.sub(b"\n: ", text.encode()) + b"\n\n"


def _event(block: bytes) -> Event | None:
    """The lines of one block; ``None`` where none of them carries data."""
    data = []
    name = b""
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return Event(b"\n".join(data), name.decode(errors="replace")) if data else None
