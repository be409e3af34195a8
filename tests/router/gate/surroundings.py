"""What stands around a gate under test: an upstream whose every byte is scripted, a clock, a router that signs."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from llm_router.api.replay import MemoryReplayStore, ReplayStore
from llm_router.api.signed import UNREADY_S, Door
from llm_router.gate.forward import Forwarder
from llm_router.gate.gate import Gate
from llm_router.gate.metrics import GateMetrics
from llm_router.upstream.http1 import Http1Client
from llm_router.upstream.signing import Signer, Verifier
from tests.router.edge import Address, Reply, parse, request, send_raw, serving

KEY = bytes(range(32))
NEXT_KEY = bytes(range(32, 64))
TARGET, AUTHORITY = "aws-us-west-2", "aws.llm.example.com"
API_KEY = "only-the-gate-knows-it"
MAX_BODY = 4096
CHAT = "/v1/chat/completions"


# ---------------------------------------------------------------- upstream


@dataclass(frozen=True)
class Received:
    """A request as the upstream saw it; ``connection`` counts its connections from 0."""

    line: str
    headers: Mapping[str, str]
    names: tuple[str, ...]
    body: bytes
    connection: int


Script = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Upstream:
    """An HTTP server that answers each request by running ``script``, and says when a connection was closed on it."""

    script: Script
    url: str = ""
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    closed: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    arrived: asyncio.Queue[Received] = field(default_factory=asyncio.Queue)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = self.connections
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *lines = head.strip().split("\r\n")
                pairs = [text.split(": ", 1) for text in lines]
                headers = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                names = tuple(name.lower() for name, _ in pairs)
                seen = Received(line, headers, names, body, connection)
                self.received.append(seen)
                self.arrived.put_nowait(seen)
                scripted = asyncio.ensure_future(self.script(seen, writer))
                ended = asyncio.ensure_future(reader.read(1))
                await asyncio.wait([scripted, ended], return_when=asyncio.FIRST_COMPLETED)
                if not scripted.done():
                    scripted.cancel()
                    return
                ended.cancel()
                await asyncio.gather(ended, return_exceptions=True)
                await scripted
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed.put_nowait(connection)
            writer.close()


@contextlib.asynccontextmanager
async def upstream(script: Script) -> AsyncIterator[Upstream]:
    scripted = Upstream(script)
    server = await asyncio.start_server(scripted.converse, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    scripted.url = f"http://{host}:{port}"
    try:
        yield scripted
    finally:
        server.close()


async def says_ok(_seen: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\nok")
    await writer.drain()


# ---------------------------------------------------------------- gate


@dataclass
class Clock:
    """Unix time that stands still until somebody moves it."""

    now: float = 1_794_000_000.0

    def __call__(self) -> float:
        return self.now


class Router:
    """What a router knows of the gate, and how it asks."""

    def __init__(self, address: Address, clock: Clock, metrics: GateMetrics) -> None:
        self.address, self.clock, self.metrics = address, clock, metrics

    def sign(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: str = "",
        key: bytes = KEY,
        number: int = 1,
        authority: str = AUTHORITY,
        target: str = TARGET,
        delay_s: float = 0,
    ) -> tuple[tuple[str, str], ...]:
        """The signed headers of a request made ``delay_s`` seconds ago."""
        signer = Signer(f"{TARGET}.{number}", base64.b64encode(key).decode(), authority, target)
        made = signer.sign(method, path, query, "application/json", body, "0193-abc", self.clock.now - delay_s)
        return (("content-type", "application/json"), *made)

    def raw(
        self, method: str, path: str, body: bytes = b"", more: tuple[tuple[str, str], ...] = (), **how: Any
    ) -> bytes:
        query = how.get("query", "")
        target = f"{path}?{query}" if query else path
        return request(method, target, (*self.sign(method, path, body, **how), *more), body)

    async def ask(
        self, method: str, path: str, body: bytes = b"", more: tuple[tuple[str, str], ...] = (), **how: Any
    ) -> Reply:
        return await self.send(self.raw(method, path, body, more, **how))

    async def send(self, data: bytes) -> Reply:
        return parse(await send_raw(self.address, data))

    def rejected(self, reason: str) -> float:
        return self.metrics.registry.get_sample_value("llm_gate_rejected_total", {"reason": reason}) or 0

    def ended(self, result: str) -> float:
        return self.metrics.registry.get_sample_value("llm_gate_requests_total", {"result": result}) or 0


async def _no_status() -> bytes | None:
    return None


@contextlib.asynccontextmanager
async def gate(upstream_url: str, *, replay: ReplayStore | None = None, **changes: Any) -> AsyncIterator[Router]:
    """A gate that has been ready for an hour, served in front of ``upstream_url``."""
    clock, metrics = Clock(), GateMetrics(CollectorRegistry())
    started_at = int(clock.now) - 3600 - UNREADY_S
    keys = {f"{TARGET}.1": KEY, f"{TARGET}.2": NEXT_KEY}
    async with Http1Client(connect_timeout_s=20) as client:
        door = {
            "verifier": Verifier(keys=keys, target=TARGET, authority=AUTHORITY, not_before=started_at),
            "replay": MemoryReplayStore(max_entries=1000) if replay is None else replay,
            "started_at": started_at,
            "unix_time": clock,
            "max_body": MAX_BODY,
            "read_timeout_s": 0.5,
        }
        settings: dict[str, Any] = {
            "door": Door(**{name: changes.pop(name, value) for name, value in door.items()}),
            "forwarder": Forwarder(client=client, upstream=upstream_url, api_key=API_KEY),
            "status": _no_status,
            "metrics": metrics,
        }
        async with serving(Gate(**{**settings, **changes}).guarded()) as address:
            yield Router(address, clock, metrics)
