"""Ports that a process asks for now and listens on a moment later."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from llm_router.demo.ports import free_port


def test_whoever_takes_any_port_is_not_given_one_that_was_promised() -> None:
    promised = {free_port() for _ in range(200)}

    assert len(promised) == 200
    with contextlib.ExitStack() as held:
        others = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(800)]
        given = {other.getsockname()[1] for other in others}
    assert not promised & given


def test_nobody_listens_there_and_a_server_that_names_it_gets_it() -> None:
    async def listen(port: int) -> None:
        (await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", port)).close()

    port = free_port()

    with socket.socket() as caller:
        assert caller.connect_ex(("127.0.0.1", port)) != 0
    asyncio.run(listen(port))
