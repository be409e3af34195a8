"""What becomes of streams when one of two workers is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from functools import partial

import httpx
import psutil
import uvloop

from scripts.bench.under_load import Served, body, serving


def p22_killed_worker(rounds: int, streams: int = 40) -> str:
    """Whoever was not connected to the worker that is killed must not notice. A router each: the same one waits longer
    each time before it replaces a worker."""
    whole = its_own = of_others = 0
    back_s = []
    for _ in range(rounds):
        with serving(tokens_per_second=20, workers=2) as router:
            victim, *_ = pids_of_workers(router)
            outcome, replaced_s = uvloop.run(killed_in_mid_stream(router, victim, streams))
            its_own += sum(not complete for complete, victims in outcome if victims)
            of_others += sum(not complete for complete, victims in outcome if not victims)
            whole += sum(complete for complete, _ in outcome)
            back_s.append(replaced_s)
    return (
        f"{rounds} workers killed under {rounds * streams} streams: {its_own} of their own broken, {of_others} of "
        f"others, {whole} whole; replaced within {max(back_s):.1f} s"
    )


def pids_of_workers(router: Served) -> list[int]:
    shown = httpx.get(f"http://127.0.0.1:{router.admin_port}/admin/workers", trust_env=False).json()
    return [worker["pid"] for worker in shown]


def back(router: Served, victim: int) -> bool:
    pids = pids_of_workers(router)
    return victim not in pids and len(pids) == 2


async def killed_in_mid_stream(router: Served, victim: int, streams: int) -> tuple[list[tuple[bool, bool]], float]:
    """For each stream whether it came whole, and whether it was the victim's; and after how many seconds that
    one was replaced."""
    sent = body(20, stream=True)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    head += b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(sent)

    async def begin() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", router.port)
        writer.write(head + sent)
        await reader.readuntil(b"data: ")
        return reader, writer

    async def rest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        text = b""
        with suppress(ConnectionError):
            text = await reader.read(-1)
        writer.close()
        return b"[DONE]" in text

    begun = await asyncio.gather(*(begin() for _ in range(streams)))
    its_ports = {link.raddr.port for link in psutil.Process(victim).net_connections("tcp") if link.raddr}
    os.kill(victim, signal.SIGKILL)
    killed_at = time.monotonic()

    def until_back() -> float:
        router.process.wait_until(partial(back, router, victim))
        return time.monotonic() - killed_at

    replaced = asyncio.create_task(asyncio.to_thread(until_back))
    whole = await asyncio.gather(*(rest(*connection) for connection in begun))
    ports = [writer.get_extra_info("sockname")[1] for _, writer in begun]
    return [(complete, port in its_ports) for complete, port in zip(whole, ports, strict=True)], await replaced
