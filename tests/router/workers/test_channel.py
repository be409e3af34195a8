"""Questions and answers between two ends, and what becomes of them when one end is gone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from llm_router.workers.channel import Channel, Unanswered
from llm_router.workers.messages import Page, Read, Scrape, ToSupervisor, ToWorker


@asynccontextmanager
async def both_ends() -> AsyncIterator[tuple[Channel, Channel, asyncio.Event]]:
    """The supervisor's, the worker's, and what the worker waits for before it answers ``/slow``."""
    mine, theirs = socket.socketpair()
    go_on = asyncio.Event()

    async def answer(question: ToWorker) -> object:
        assert isinstance(question, Read)
        if question.path == "/fault":
            raise ValueError("a secret word")
        if question.path == "/slow":
            await go_on.wait()
        return Page(200, question.path.encode() * (1 if question.path != "/large" else 500_000))

    async def metrics(_question: ToSupervisor) -> object:
        return b"metrics"

    supervisor = await Channel.over(mine, ToSupervisor, metrics)
    worker = await Channel.over(theirs, ToWorker, answer)
    running = [asyncio.create_task(end.run()) for end in (supervisor, worker)]
    try:
        yield supervisor, worker, go_on
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def test_answers_come_in_whatever_order_and_both_ways() -> None:
    async def main() -> None:
        async with both_ends() as (supervisor, worker, go_on):
            slow = asyncio.create_task(supervisor.ask(Read("/slow"), Page, timeout_s=10))
            assert (await supervisor.ask(Read("/quick"), Page, timeout_s=10)).body == b"/quick"
            assert await worker.ask(Scrape(), bytes, timeout_s=10) == b"metrics"
            assert len((await supervisor.ask(Read("/large"), Page, timeout_s=10)).body) == 3_000_000
            assert not slow.done()
            go_on.set()
            assert (await slow).body == b"/slow"

    asyncio.run(main())


def test_whoever_does_not_answer_in_time_is_not_waited_for_and_may_answer_later() -> None:
    async def main() -> None:
        async with both_ends() as (supervisor, _, go_on):
            with pytest.raises(Unanswered, match=r"no answer within 0\.01 s"):
                await supervisor.ask(Read("/slow"), Page, timeout_s=0.01)
            go_on.set()
            assert (await supervisor.ask(Read("/next"), Page, timeout_s=10)).body == b"/next"

    asyncio.run(main())


def test_a_fault_is_said_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with both_ends() as (supervisor, _, _go_on):
            with pytest.raises(Unanswered) as raised:
                await supervisor.ask(Read("/fault"), Page, timeout_s=10)
            assert str(raised.value) == "ValueError in the other process"

    asyncio.run(main())
    assert "could not be answered" in caplog.text


def test_the_end_of_the_other_process_ends_every_wait() -> None:
    async def main() -> None:
        mine, theirs = socket.socketpair()

        async def nothing(_question: ToSupervisor) -> object:
            return None

        channel = await Channel.over(mine, ToSupervisor, nothing)
        running = asyncio.create_task(channel.run())
        asked = asyncio.create_task(channel.ask(Read("/"), Page, timeout_s=10))
        await asyncio.sleep(0)
        theirs.close()
        await running
        with pytest.raises(Unanswered, match="has ended"):
            await asked
        with pytest.raises(Unanswered, match="has ended"):
            await channel.ask(Read("/"), Page, timeout_s=10)

    asyncio.run(main())
