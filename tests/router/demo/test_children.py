"""A process of the demo that ends is told at once, with what it said last."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from llm_router.demo.children import Child, ChildFailed


def child(folder: Path, program: str) -> Child:
    return Child("worker", [sys.executable, "-c", program], {}, folder / "worker.log")


async def never() -> bool:
    return False


def test_waiting_for_a_child_that_ended_tells_what_it_said(tmp_path: Path) -> None:
    async def wait() -> None:
        ended = child(tmp_path, "print('the disk is full'); raise SystemExit(3)")
        await ended.start()
        await ended.until(never, 30)

    with pytest.raises(ChildFailed, match="worker ended; it said last:\n  the disk is full"):
        asyncio.run(wait())
