"""A client that sees what is on the wire: bytes, when they came, and how the connection ended."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.router.standins import Standin

CHATS: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "openai": (
        "/v1/chat/completions",
        {"authorization": "Bearer sk-standin-openai"},
        {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": "Hi"}]},
    ),
    "anthropic": (
        "/v1/messages",
        {"x-api-key": "sk-standin-anthropic", "anthropic-version": "2023-06-01"},
        {"model": "claude-haiku-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]},
    ),
    "gemini": (
        "/v1beta/models/gemini-3.5-flash-lite:generateContent",
        {"x-goog-api-key": "sk-standin-gemini"},
        {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    ),
}
STREAM_PATHS = {"gemini": "/v1beta/models/gemini-3.5-flash-lite:streamGenerateContent?alt=sse"}


def chat(name: str, *, stream: bool) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Path, headers and body of a short question in the protocol ``name``."""
    path, headers, body = CHATS[name]
    if stream and name in STREAM_PATHS:
        return STREAM_PATHS[name], headers, body
    return path, headers, {**body, "stream": True} if stream else body


@dataclass
class Wire:
    """What came over one connection. ``ended`` is ``fin``, ``rst`` or ``timeout`` (nothing came for that long)."""

    head: bytes
    body: bytes
    ended: str
    gaps_s: list[float]

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode().split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def whole(self) -> bool:
        """True where the framing says that the answer is complete."""
        if "content-length" in self.headers:
            return len(self.body) == int(self.headers["content-length"])
        if self.headers.get("transfer-encoding") == "chunked":
            return self.body.endswith(b"0\r\n\r\n")
        return self.ended == "fin"

    @property
    def payload(self) -> bytes:
        """The body without its framing."""
        if self.headers.get("transfer-encoding") != "chunked":
            return self.body
        rest, payload = self.body, b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            payload += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
        return payload

    @property
    def events(self) -> list[bytes]:
        return [event for event in self.payload.replace(b"\r\n", b"\n").split(b"\n\n") if event]

    @property
    def data(self) -> list[Any]:
        """The events' JSON; text where it is none."""
        return [_parsed(event) for event in self.events]


def ask(standin: Standin, name: str, *, stream: bool = True, timeout_s: float = 30.0) -> Wire:
    """Asks a short question on a connection of its own and reads until it ends."""
    with connect(standin) as connection:
        connection.settimeout(timeout_s)
        connection.sendall(request(standin, name, stream=stream))
        return _received(connection)


def request(standin: Standin, name: str, *, stream: bool = True) -> bytes:
    """The bytes of a short question."""
    path, headers, body = chat(name, stream=stream)
    sent = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", f"host: {urlsplit(standin.url).netloc}", "connection: close"]
    lines += [f"{header}: {value}" for header, value in headers.items()]
    lines += ["content-type: application/json", f"content-length: {len(sent)}", "", ""]
    return "\r\n".join(lines).encode() + sent


def connect(standin: Standin) -> socket.socket:
    at = urlsplit(standin.url)
    return socket.create_connection((at.hostname or "", at.port or 0), timeout=30)


def _received(connection: socket.socket) -> Wire:
    data, ended, gaps = b"", "fin", []
    last = time.monotonic()
    try:
        while part := connection.recv(65536):
            gaps.append(time.monotonic() - last)
            last = time.monotonic()
            data += part
    except ConnectionResetError:
        ended = "rst"
    except TimeoutError:
        ended = "timeout"
    head, _, body = data.partition(b"\r\n\r\n")
    return Wire(head, body, ended, gaps)


def _parsed(event: bytes) -> Any:
    data = b"\n".join(line[6:] for line in event.split(b"\n") if line.startswith(b"data: "))
    try:
        return json.loads(data)
    except ValueError:
        return data.decode()
