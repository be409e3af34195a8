"""How a reply reaches the caller: at its pace, and with what a fault does to it on the way."""

from __future__ import annotations

import time
from collections.abc import Sequence

from msgspec import Struct

from .connection import Exchange
from .dialect import EVENTS, Document, Frame, Header, Reply, Stream
from .faults import Break, Fault, Pause, in_parts, play


class Pace(Struct, frozen=True, kw_only=True):
    """How fast answers come: the time to the first token, then tokens per second, 0 for as fast as possible."""

    tokens_per_second: float = 0.0
    first_token_s: float = 0.0

    def due_s(self, tokens: int) -> float:
        """When ``tokens`` are generated, counted from the request."""
        return self.first_token_s + (tokens / self.tokens_per_second if self.tokens_per_second else 0.0)


class Seen(Struct, kw_only=True):
    """A request that came. ``outcome`` is ``open`` while it runs, then ``complete``, ``broken`` (by a fault) or
    ``left`` (by the caller, who did not wait for the end); ``events`` counts the frames sent; ``at`` is a Unix time."""

    at: float
    method: str
    path: str
    query: str
    headers: list[Header]
    body: str = ""
    fault: str | None = None
    status: int | None = None
    events: int = 0
    outcome: str = "open"
    duration_s: float | None = None


class Delivery:
    """Gives one reply. ``ping`` and ``error`` are the protocol's keep-alive and error event."""

    def __init__(self, exchange: Exchange, pace: Pace, seen: Seen, *, ping: bytes, error: Frame) -> None:
        self._exchange, self._pace, self._seen = exchange, pace, seen
        self._ping, self._error = ping, error
        self._began = time.monotonic()

    async def give(self, reply: Reply, fault: Fault | None) -> None:
        """Raises ``Gone`` where the caller does not wait for the end."""
        bare = fault is not None and fault.how == "eof"
        headers = [("content-type", reply.content_type), *reply.headers]
        status, frames = 200, reply.frames if isinstance(reply, Stream) else in_parts(reply)
        if isinstance(reply, Document):
            status = reply.status
            if not bare:
                headers.append(("content-length", str(len(reply.body))))
            if reply.tokens:
                await self._until_due(reply.tokens)
        elif reply.content_type == EVENTS:
            headers.append(("cache-control", "no-cache"))
        await self._exchange.start(status, headers, bare=bare)
        self._seen.status = status
        await self._perform(frames, fault, pings=reply.content_type == EVENTS)

    async def _perform(self, frames: Sequence[Frame], fault: Fault | None, *, pings: bool) -> None:
        tokens = 0
        for act in play(frames, fault, self._error):
            if isinstance(act, Break):
                await self._break(act)
                return
            if isinstance(act, Pause):
                await self._pause(act, pings=pings)
                continue
            if act.tokens:
                await self._until_due(tokens)
            await self._exchange.send(act.data)
            tokens += act.tokens
            self._seen.events += 1
        self._seen.outcome = "complete"
        await self._exchange.end()

    async def _until_due(self, tokens: int) -> None:
        wait_s = self._began + self._pace.due_s(tokens) - time.monotonic()
        if wait_s > 0:
            await self._exchange.wait(wait_s)

    async def _pause(self, pause: Pause, *, pings: bool) -> None:
        began = time.monotonic()
        while True:
            rest_s = None if pause.seconds is None else began + pause.seconds - time.monotonic()
            if rest_s is not None and rest_s <= 0:
                break
            if pause.ping_s is None or not pings:
                await self._exchange.pause(rest_s)
                break
            if await self._exchange.pause(pause.ping_s if rest_s is None else min(pause.ping_s, rest_s)):
                break
            await self._exchange.send(self._ping)
        self._began += time.monotonic() - began

    async def _break(self, act: Break) -> None:
        self._seen.outcome = "broken"
        if act.how == "reset":
            await self._exchange.reset()
        else:
            await self._exchange.hang_up()
