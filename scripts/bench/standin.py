"""The stand-in for the upstream: OpenAI's chat API in as little CPU time as Python allows.

It refuses what the real one refuses (a wrong key, a wrong path, a body that is no chat request, an unknown model), so
that a gateway which breaks a request shows. Answers are made once at the start: a request costs a parse and a write.

    python -m scripts.bench.standin --key KEY [--port PORT]        prints its port
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import httptools
import msgspec
import uvloop
from msgspec import Struct

from scripts.bench.traffic import MODELS, PACE_S, PACED_MODEL, PATH, completion, stream_events


class _Message(Struct):
    role: str
    content: str | list[dict[str, Any]]


class _StreamOptions(Struct):
    include_usage: bool = False


class _Asked(Struct):
    model: str
    messages: list[_Message]
    stream: bool = False
    stream_options: _StreamOptions | None = None


class _Refused(Exception):
    def __init__(self, status: bytes, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


_decode = msgspec.json.Decoder(_Asked).decode
_EVENTS_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
_LAST_CHUNK = b"0\r\n\r\n"


class Answers:
    """Every answer there is, as bytes for the wire. ``key`` is the only API key that is accepted."""

    def __init__(self, key: str) -> None:
        self.authorization = f"Bearer {key}".encode()
        self._whole = {model: _http(b"200 OK", completion(model)) for model in MODELS}
        self._streams = {
            (model, with_usage): [_chunked(event) for event in stream_events(model, with_usage=with_usage)]
            for model, with_usage in itertools.product(MODELS, (False, True))
        }

    def to(self, asked: _Asked) -> bytes | list[bytes]:
        """The whole answer, or the pieces of a stream. Raises ``_Refused`` for an unknown model."""
        if asked.model not in self._whole:
            raise _Refused(b"404 Not Found", "model_not_found", f"The model {asked.model!r} does not exist.")
        if not asked.stream:
            return self._whole[asked.model]
        with_usage = asked.stream_options is not None and asked.stream_options.include_usage
        return self._streams[asked.model, with_usage]


class StandIn(asyncio.Protocol):
    """One connection. Requests come one after the other, as proxies send them: one that comes while another is
    answered breaks the connection."""

    _transport: asyncio.Transport
    _timer: asyncio.TimerHandle | None = None

    def __init__(self, answers: Answers, loop: asyncio.AbstractEventLoop) -> None:
        self._answers, self._loop = answers, loop
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    # httptools' callbacks

    def on_message_begin(self) -> None:
        self._url = self._authorization = b""
        self._body: list[bytes] = []
        if self._timer is not None:
            self._transport.abort()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"authorization":
            self._authorization = value

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        try:
            asked = self._read()
            answer = self._answers.to(asked)
        except _Refused as refused:
            error = {"message": str(refused), "type": "invalid_request_error", "param": None, "code": refused.code}
            self._transport.write(_http(refused.status, msgspec.json.encode({"error": error})))
            return
        if isinstance(answer, bytes):
            self._transport.write(answer)
        elif asked.model == PACED_MODEL:
            self._transport.write(_EVENTS_HEAD)
            self._pace(iter(answer), self._loop.time())
        else:
            self._transport.writelines([_EVENTS_HEAD, *answer, _LAST_CHUNK])

    def _read(self) -> _Asked:
        if self._parser.get_method() != b"POST" or self._url != PATH.encode():
            raise _Refused(b"404 Not Found", "unknown_url", f"Only POST {PATH} is known.")
        if self._authorization != self._answers.authorization:
            raise _Refused(b"401 Unauthorized", "invalid_api_key", "Incorrect API key provided.")
        try:
            return _decode(b"".join(self._body))
        except msgspec.DecodeError as exc:
            raise _Refused(b"400 Bad Request", "invalid_request", str(exc)) from exc

    def _pace(self, events: Iterator[bytes], due: float) -> None:
        """One event, and the next when it is due: by the plan, not by when this one went out."""
        event = next(events, None)
        if event is None:
            self._timer = None
            self._transport.write(_LAST_CHUNK)
            return
        self._transport.write(event)
        self._timer = self._loop.call_at(due + PACE_S, self._pace, events, due + PACE_S)


def _http(status: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def serve(answers: Answers, port: int = 0) -> asyncio.Server:
    """A server on loopback; port 0 takes a free one."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: StandIn(answers, loop), "127.0.0.1", port, backlog=1024)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", required=True)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    server = await serve(Answers(options.key), options.port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
