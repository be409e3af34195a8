"""The load generator: each connection asks again as soon as it has its answer, and every answer is checked in full.

python -m scripts.bench.load --url http://127.0.0.1:8080 --key KEY --workload A16 --seconds 2      prints a Result
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import time
from functools import partial
from urllib.parse import urlsplit

import httptools
import msgspec
import uvloop
from msgspec import Struct

from scripts.bench.checks import Answer, fault_in
from scripts.bench.traffic import PATH, WORKLOADS, Workload, request_body

GRACE_S = 15.0
"""How long after the last start the answers under way may take."""
MAX_ERRORS = 20
"""After so many the run ends: what follows would be the same."""


class Result(Struct, frozen=True, kw_only=True):
    """``ok`` answers were right in every detail; ``errors`` were not, or did not come. Latencies are of right ones."""

    ok: int
    errors: int
    first_error: str | None
    elapsed_s: float
    p50_us: float | None
    p99_us: float | None


class Load:
    """``workload`` at the gateway on ``port`` of ``host``: no request starts after ``seconds``, nor after ``requests``
    of them."""

    def __init__(
        self, host: str, port: int, key: str, workload: Workload, *, seconds: float, requests: int | None = None
    ) -> None:
        self.workload = workload
        self._host, self._port, self._seconds = host, port, seconds
        self._requests = itertools.count() if requests is None else iter(range(requests))
        body = request_body(workload)
        self.request = (
            f"POST {PATH} HTTP/1.1\r\nhost: {host}:{port}\r\nauthorization: Bearer {key}\r\naccept: */*\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode() + body
        self._latencies_us: list[float] = []
        self._errors: list[str] = []
        self._ends_at = 0.0

    async def run(self) -> Result:
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        self._ends_at = loop.time() + self._seconds
        await asyncio.gather(*(self._calls(loop) for _ in range(self.workload.connections)))
        elapsed_s = time.perf_counter() - started
        latencies = sorted(self._latencies_us)
        return Result(
            ok=len(latencies),
            errors=len(self._errors),
            first_error=self._errors[0] if self._errors else None,
            elapsed_s=elapsed_s,
            p50_us=latencies[len(latencies) // 2] if latencies else None,
            p99_us=latencies[len(latencies) * 99 // 100] if latencies else None,
        )

    async def _calls(self, loop: asyncio.AbstractEventLoop) -> None:
        """One connection after the other, each used until it breaks."""
        while self.may_start():
            over: asyncio.Future[None] = loop.create_future()
            try:
                async with asyncio.timeout_at(self._ends_at + GRACE_S):
                    transport, _ = await loop.create_connection(partial(_Caller, self, over), self._host, self._port)
                    try:
                        await over
                    finally:
                        transport.abort()
            except TimeoutError:
                self.failed(f"no answer {GRACE_S:g} s after the end")
            except OSError as exc:
                self.failed(f"no connection: {exc}")

    # what callers ask and tell

    def may_start(self) -> bool:
        """Whether another request may start; counts it."""
        if len(self._errors) >= MAX_ERRORS or asyncio.get_running_loop().time() >= self._ends_at:
            return False
        return next(self._requests, None) is not None

    def answered(self, answer: Answer, latency_us: float) -> None:
        fault = fault_in(answer, self.workload)
        if fault is None:
            self._latencies_us.append(latency_us)
        else:
            self.failed(fault)

    def failed(self, fault: str) -> None:
        self._errors.append(fault)


class _Caller(asyncio.Protocol):
    """One connection. ``over`` is done when it has nothing more to do: broken, or the run is at its end."""

    _transport: asyncio.Transport

    def __init__(self, load: Load, over: asyncio.Future[None]) -> None:
        self._load, self._over = load, over

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._ask()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as exc:
            self._end(f"not HTTP: {exc}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"the connection broke: {exc or 'closed'}")

    # httptools' callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-type":
            self._content_type = value

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        answer = Answer(self._parser.get_status_code(), self._content_type, b"".join(self._body))
        self._load.answered(answer, (time.perf_counter() - self._started) * 1e6)
        if not self._load.may_start():
            self._end(None)
        elif not self._parser.should_keep_alive():
            self._end("the connection is not kept alive")
        else:
            self._ask()

    def _ask(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._content_type = b""
        self._body: list[bytes] = []
        self._started = time.perf_counter()
        self._transport.write(self._load.request)

    def _end(self, fault: str | None) -> None:
        if not self._over.done():
            if fault is not None:
                self._load.failed(fault)
            self._over.set_result(None)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--workload", required=True, choices=WORKLOADS)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--requests", type=int)
    options = parser.parse_args()
    url = urlsplit(options.url)
    load = Load(
        url.hostname or "127.0.0.1",
        url.port or 80,
        options.key,
        WORKLOADS[options.workload],
        seconds=options.seconds,
        requests=options.requests,
    )
    sys.stdout.buffer.write(msgspec.json.encode(await load.run()))


if __name__ == "__main__":
    uvloop.run(main())
