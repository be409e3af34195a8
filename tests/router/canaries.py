"""The secrets that the tests use, looked for in every byte that the suite captures: what listeners answer, in this
process and in others, what is logged, down to what nobody usually reads, and what programs print."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from llm_router.api.guard import Guard
from tests.router.passwords import PASSWORD, quick_hash

KEPT = 256
"""More than the longest of them: an answer may be cut anywhere."""

SECRETS = (
    *(f"sk-standin-{name}" for name in ("openai", "anthropic", "gemini")),
    "sk-only-for-the-primary",
    "sk-canary",
    base64.b64encode(bytes(range(32))).decode(),  # the gates' key, as it is configured
    base64.b64encode(bytes(range(32, 64))).decode(),  # the next one
    repr(bytes(range(32)))[2:-1],
    PASSWORD,
    quick_hash(),
)
_ANY = re.compile("|".join([*map(re.escape, SECRETS), r"llmr_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}"]).encode())
"""And every API key of a caller, whatever it is."""


@dataclass
class Canaries:
    """``found`` says where a secret got out, and into what."""

    found: list[str] = field(default_factory=list)
    scanned_bytes: int = 0

    def scan(self, data: bytes, where: str) -> None:
        self.scanned_bytes += len(data)
        for match in _ANY.finditer(data):
            before, after = data[max(0, match.start() - 60) : match.start()], data[match.end() : match.end() + 20]
            self.found.append(f"{before!r} {match[0][:12]!r}… {after!r} in {where}")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """What listeners in this process answer and what is logged here; and what others answer to the tests, which ask
        with clients that wait, as the product's own do not."""
        handler, logger = _Handler(self), logging.getLogger("llm_router")
        answer, ask = Guard.__call__, httpx.Client.send

        async def scanned(guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
            await answer(guard, scope, receive, self._scanning(scope, send))

        def asked(client: httpx.Client, request: httpx.Request, *, stream: bool = False, **more: Any) -> httpx.Response:
            response = ask(client, request, stream=True, **more)
            where = f"the answer to {request.method} {request.url.path}"
            self.scan(b"\n".join(name + b": " + value for name, value in response.headers.raw), where)
            response.stream = _Scanning(response.stream, _Cut(self, where))
            if not stream:
                response.read()
            return response

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Guard, "__call__", scanned)
            patch.setattr(httpx.Client, "send", asked)
            level = logger.level
            logger.addHandler(handler)
            logger.setLevel(logging.DEBUG)
            try:
                yield
            finally:
                logger.setLevel(level)
                logger.removeHandler(handler)

    def _scanning(self, scope: Scope, send: Send) -> Send:
        where = f"the answer to {scope.get('method')} {scope.get('path')}"
        cut = _Cut(self, where)

        async def scanning(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.scan(b"\n".join(name + b": " + value for name, value in message.get("headers", ())), where)
            else:
                cut.scan(message.get("body", b""))
            await send(message)

        return scanning

    def scan_file(self, path: Path) -> None:
        if path.is_file():
            self.scan(path.read_bytes(), f"what a program said ({path.name})")


class _Cut:
    """What comes in pieces, wherever it is cut."""

    def __init__(self, canaries: Canaries, where: str) -> None:
        self._canaries, self._where, self._kept = canaries, where, b""

    def scan(self, data: bytes) -> None:
        self._kept += data
        self._canaries.scan(self._kept, self._where)
        self._kept = self._kept[-KEPT:]


class _Scanning(httpx.SyncByteStream):
    def __init__(self, stream: Any, cut: _Cut) -> None:
        self._stream, self._cut = stream, cut

    def __iter__(self) -> Iterator[bytes]:
        for data in self._stream:
            self._cut.scan(data)
            yield data

    def close(self) -> None:
        self._stream.close()


class _Handler(logging.Handler):
    def __init__(self, canaries: Canaries) -> None:
        super().__init__(logging.DEBUG)
        self._canaries = canaries

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("llm_router.demo"):
            text = logging.Formatter().format(record)  # with the traceback, where there is one
            self._canaries.scan(text.encode(errors="replace"), f"the log of {record.name}")


def joined(findings: Iterable[str]) -> str:
    return "a secret got out:\n" + "\n".join(findings)
