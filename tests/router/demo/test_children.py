"""A process of the demo that ends is told at once, with what it said last."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import pytest

from llm_router.demo.children import Child, ChildFailed
from llm_router.demo.ports import free_port


def child(folder: Path, program: str) -> Child:
    return Child("worker", [sys.executable, "-c", program], {}, folder / "worker.log")


async def never() -> bool:
    return False


async def taken(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def test_waiting_for_a_child_that_ended_tells_what_it_said(tmp_path: Path) -> None:
    async def wait() -> None:
        ended = child(tmp_path, "print('the disk is full'); raise SystemExit(3)")
        await ended.start()
        await ended.until(never, 30)

    with pytest.raises(ChildFailed, match="worker ended; it said last:\n  the disk is full"):
        asyncio.run(wait())


def test_a_frozen_child_holds_its_port_and_is_killed_like_any_other(tmp_path: Path) -> None:
    async def freeze() -> None:
        port = free_port()
        listens = f"import socket, time; listener = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
        frozen = child(tmp_path, listens)
        await frozen.start()
        await frozen.until(lambda: taken(port), 30)
        frozen.freeze()
        assert frozen.running
        assert await taken(port)
        await frozen.kill()
        assert not frozen.running
        assert not await taken(port)

    asyncio.run(freeze())
