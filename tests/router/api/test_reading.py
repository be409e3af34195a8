"""Reading bodies, and noticing that a caller left, on a real server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from starlette.types import Message, Receive, Scope, Send

from llm_router.api.reading import (
    BodyTooLarge,
    BodyTooSlow,
    ClientGone,
    WhileCallerStays,
    announced_bytes,
    read_body,
)
from tests.router.edge import Address, run, serving


def receiving(*messages: Message, then_wait: bool = False) -> Receive:
    """An ASGI ``receive`` that hands out ``messages``, and then waits or says that the caller is gone."""
    left = list(messages)

    async def receive() -> Message:
        if left:
            return left.pop(0)
        if then_wait:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    return receive


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_is_the_sum_of_its_parts() -> None:
    receive = receiving(part(b"ab", more=True), part(b"", more=True), part(b"cd"))
    assert run(read_body(receive, max_bytes=4, deadline_s=30)) == b"abcd"
    assert run(read_body(receiving({"type": "http.request"}), max_bytes=0, deadline_s=30)) == b""


def test_one_byte_too_many_is_refused_without_waiting_for_the_rest() -> None:
    receive = receiving(part(b"ab", more=True), part(b"cde", more=True), then_wait=True)
    with pytest.raises(BodyTooLarge):
        run(read_body(receive, max_bytes=4, deadline_s=60))


def test_a_body_that_does_not_come_is_given_up_at_the_deadline() -> None:
    with pytest.raises(BodyTooSlow, match=r"0\.05 s"):
        run(read_body(receiving(part(b"a", more=True), then_wait=True), max_bytes=4, deadline_s=0.05))


def test_a_caller_who_leaves_in_the_middle_leaves_no_body() -> None:
    with pytest.raises(ClientGone):
        run(read_body(receiving(part(b"a", more=True)), max_bytes=4, deadline_s=30))


def test_the_announced_size_is_that_of_content_length() -> None:
    assert announced_bytes([(b"host", b"x"), (b"content-length", b"17")]) == 17
    assert announced_bytes([(b"transfer-encoding", b"chunked")]) is None


# ---------------------------------------------------------------- over real sockets


@contextlib.asynccontextmanager
async def conversing(
    answer: Callable[[Receive, Send], Awaitable[None]],
) -> AsyncIterator[tuple[Address, asyncio.Queue[str]]]:
    """Serves an application whose every request ends in a word: how it went."""
    went: asyncio.Queue[str] = asyncio.Queue()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await answer(receive, send)
        except (ClientGone, BodyTooSlow, BodyTooLarge) as error:
            went.put_nowait(type(error).__name__)
        except BaseException as error:
            went.put_nowait(repr(error))
            raise
        else:
            went.put_nowait("done")

    async with serving(app) as address:
        yield address, went


async def _answer_to_nobody(receive: Receive, _send: Send) -> None:
    await read_body(receive, max_bytes=100, deadline_s=30)
    async with WhileCallerStays(receive):
        await asyncio.Event().wait()


@pytest.mark.parametrize("half_close", [False, True], ids=["closes", "closes its sending side"])
def test_a_caller_who_leaves_before_the_first_byte_ends_the_work_at_once(half_close: bool) -> None:
    async def scenario() -> float:
        async with conversing(_answer_to_nobody) as (address, went):
            _reader, writer = await asyncio.open_connection(*address)
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab")
            await asyncio.sleep(0.05)
            left_at = asyncio.get_running_loop().time()
            if half_close:
                writer.write_eof()
            else:
                writer.close()
            assert await asyncio.wait_for(went.get(), 30) == "ClientGone"
            writer.close()
            return asyncio.get_running_loop().time() - left_at

    # Once is enough: the promise is about the server, not about what else this machine does meanwhile.
    assert any(run(scenario()) < 0.1 for _ in range(20))


@pytest.mark.parametrize(
    ("start", "word"),
    [
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nab", "ClientGone"),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n", "ClientGone"),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabXX\r\n", "ClientGone"),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nff\r\n" + b"a" * 255, "BodyTooLarge"),
    ],
    ids=["cut in a sized body", "cut in a chunked body", "bad chunk", "chunks beyond the cap"],
)
def test_a_partial_or_broken_body_is_never_handed_on(start: bytes, word: str) -> None:
    async def scenario() -> None:
        async with conversing(_answer_to_nobody) as (address, went):
            _reader, writer = await asyncio.open_connection(*address)
            writer.write(start)
            await asyncio.sleep(0.05)
            writer.close()
            assert await asyncio.wait_for(went.get(), 30) == word

    run(scenario())


def test_a_caller_who_stays_gets_his_answer() -> None:
    async def answer(receive: Receive, send: Send) -> None:
        await read_body(receive, max_bytes=100, deadline_s=30)
        async with WhileCallerStays(receive):
            await asyncio.sleep(0.02)
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})

    async def scenario() -> bytes:
        async with conversing(answer) as (address, went):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            data = await reader.read()
            writer.close()
            assert await went.get() == "done"
            return data

    assert run(scenario()).endswith(b"ok")


def test_another_timeout_around_it_keeps_its_own_meaning() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(0.02), WhileCallerStays(receiving(then_wait=True)):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run(scenario())


def test_an_error_inside_comes_out_as_itself_even_if_the_caller_leaves_meanwhile() -> None:
    async def scenario() -> None:
        async with WhileCallerStays(receiving()):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise KeyError("cleanup failed") from None

    with pytest.raises(KeyError):
        run(scenario())


def test_the_task_goes_on_normally_after_a_caller_left() -> None:
    async def scenario() -> str:
        with contextlib.suppress(ClientGone):
            async with WhileCallerStays(receiving()):
                await asyncio.Event().wait()
        await asyncio.sleep(0)
        return "went on"

    assert run(scenario()) == "went on"
