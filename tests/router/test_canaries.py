"""The scan for secrets that runs over the whole suite finds what it should."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm_router.admission.keys import RANDOM_BYTES, make_key
from llm_router.api.guard import Guard
from tests.router.canaries import SECRETS, Canaries
from tests.router.edge import in_thread
from tests.router.upstream.raw import head, serving, write_apart


@pytest.fixture(autouse=True)
def for_once_they_may(canaries: Canaries, no_secret_gets_out: None) -> Iterator[None]:
    """The suite's own scan sees the leaks of these tests, too."""
    yield
    canaries.found.clear()


def answered(canaries: Canaries, *parts: bytes, header: bytes = b"x") -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", header)]})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})

    async def nothing(*_: Any) -> Any:
        return None

    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "headers": []}
    scope["headers"] = [(b"host", b"x")]
    with canaries.watching():
        asyncio.run(Guard(app)(scope, nothing, nothing))


@pytest.mark.parametrize("secret", SECRETS)
def test_each_secret_is_found_wherever_an_answer_is_cut(secret: str) -> None:
    data = f"before {secret} after".encode()
    for cut in range(len(data)):
        canaries = Canaries()
        answered(canaries, data[:cut], data[cut:])
        assert canaries.found, cut


def test_headers_logs_and_files_are_looked_through(tmp_path: Path) -> None:
    for leak in ("header", "log", "debug", "traceback", "file"):
        canaries, key = Canaries(), make_key(os.urandom(RANDOM_BYTES))
        with canaries.watching():
            logger = logging.getLogger("llm_router.test")
            if leak == "log":
                logger.warning("asked with %s", key)
            elif leak == "debug":
                logger.debug("asked with %s", key)
            elif leak == "traceback":
                try:
                    raise ValueError(key)
                except ValueError:
                    logger.warning("it failed", exc_info=True)
        if leak == "header":
            answered(canaries, header=key.encode())
        elif leak == "file":
            (tmp_path / "log").write_text(f"starting with {key}\n")
            canaries.scan_file(tmp_path / "log")
        assert canaries.found, leak
        assert key not in canaries.found[0], "what is told of a leak is none itself"


@pytest.mark.parametrize("streamed", [False, True])
def test_what_another_process_answers_is_looked_through(streamed: bool) -> None:
    """The answer of a server that knows nothing of the scan."""
    canaries, key = Canaries(), make_key(os.urandom(RANDOM_BYTES)).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await head(reader)
        await write_apart(writer, b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + key[:20], key[20:])

    with in_thread(serving(serve)) as (_upstream, url), canaries.watching(), httpx.Client(trust_env=False) as client:
        if streamed:
            with client.stream("GET", str(url)) as answer:
                assert b"".join(answer.iter_raw()) == key
        else:
            assert client.get(str(url)).content == key
    assert len(canaries.found) == 1


def test_what_is_no_secret_is_let_pass() -> None:
    canaries = Canaries()
    answered(canaries, b'{"apiKey": "\xe2\x80\xa6enai", "message": "Write llmr_ and sk- before it."}')
    assert canaries.found == []
    assert canaries.scanned_bytes > 0
