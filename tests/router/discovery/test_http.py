"""Whatever a registry answers, it is bounded, and it is a ``SourceDown`` where it is not what was asked for."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from llm_router.discovery import http
from llm_router.discovery.base import SourceDown
from llm_router.discovery.http import Refused, Registry, Silent, decoded
from tests.router.edge import run, serving
from tests.router.ports import free_port

Answering = Callable[[Request], Coroutine[Any, Any, Response]]


def with_registry(answer: Answering, use: Callable[[Registry], Coroutine[Any, Any, Any]]) -> Any:
    async def main() -> Any:
        async with serving(Starlette(routes=[Route("/x", answer)])) as (host, port):
            registry = Registry(f"http://{host}:{port}/", tls=ssl.create_default_context())
            try:
                return await use(registry)
            finally:
                await registry.aclose()

    return run(main())


async def ask(registry: Registry) -> bytes:
    return (await registry.ask("GET", "/x", silence_s=5))[1]


async def lines(registry: Registry, silence_s: float = 5) -> list[bytes]:
    return [line async for line in registry.lines("GET", "/x", silence_s=silence_s)]


def test_lines_come_whole_however_they_are_cut() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b'{"a"', b": 1}\n\n", b'{"b": 2}\n{"c"', b": 3}"):
            yield part
            await asyncio.sleep(0.01)

    async def answer(_request: Request) -> Response:
        return StreamingResponse(parts())

    assert with_registry(answer, lines) == [b"", b'{"a": 1}', b'{"b": 2}', b'{"c": 3}']


def test_a_stream_that_falls_silent_is_told_apart() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"1\n"
        await asyncio.sleep(1.5)

    async def answer(_request: Request) -> Response:
        return StreamingResponse(parts())

    with pytest.raises(Silent):
        with_registry(answer, lambda registry: lines(registry, 0.3))


def test_a_refusal_has_status_words_and_wait_and_its_control_characters_do_not_reach_the_log() -> None:
    async def answer(_request: Request) -> Response:
        return PlainTextResponse("slow\r\ndown\x1b[31m" + "x" * 1000, 429, headers={"retry-after": "7"})

    with pytest.raises(Refused) as caught:
        with_registry(answer, ask)
    assert (caught.value.status, caught.value.retry_after_s) == (429, 7)
    assert "answers 429: slow  down [31m" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_a_redirect_is_not_followed() -> None:
    async def answer(_request: Request) -> Response:
        return RedirectResponse("http://169.254.169.254/latest/meta-data")

    with pytest.raises(Refused, match="answers 307"):
        with_registry(answer, ask)


def test_neither_a_body_nor_a_line_is_read_without_end() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000
            await asyncio.sleep(0)  # lets the server notice that nobody listens any more

    async def answer(_request: Request) -> Response:
        return StreamingResponse(endless())

    with pytest.raises(SourceDown, match=f"a line of more than {http.MAX_LINE_BYTES} bytes"):
        with_registry(answer, lines)
    with pytest.raises(SourceDown, match=f"more than {http.MAX_BODY_BYTES} bytes"):
        with_registry(answer, ask)


def test_nobody_there_is_down_too() -> None:
    async def main() -> None:
        registry = Registry(f"http://127.0.0.1:{free_port()}", tls=ssl.create_default_context())
        with pytest.raises(SourceDown, match="ConnectError"):
            await ask(registry)
        await registry.aclose()

    run(main())


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"a": "x"}', b"[" * 100_000])
def test_what_is_not_the_json_that_was_expected_is_down(body: bytes) -> None:
    with pytest.raises(SourceDown, match="the answer is not what was expected"):
        decoded(body, dict[str, int], "the answer")
