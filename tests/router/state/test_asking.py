"""Questions that are asked together, and answers that come late."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from llm_router.state.asking import MAX_TOGETHER, Answer, Asking, Question, Unanswered, within


class Oracle:
    """Answers what it is asked by the number that it is asked, once it is let; remembers what came together."""

    def __init__(self) -> None:
        self.rounds: list[int] = []
        self.let = asyncio.Event()
        self.dumb = False

    async def answers(self, questions: Sequence[Question]) -> Sequence[Answer]:
        self.rounds.append(len(questions))
        await self.let.wait()
        if self.dumb:
            raise Unanswered
        return [[number] for (number,) in questions]


def test_what_comes_while_an_answer_is_awaited_goes_together_next() -> None:
    async def main() -> None:
        oracle = Oracle()
        asking = Asking(oracle.answers)
        running = asyncio.create_task(asking.run())
        asked = [asyncio.create_task(asking.ask((number,))) for number in range(1)]
        await asyncio.sleep(0.01)
        asked += [asyncio.create_task(asking.ask((number,))) for number in range(1, 2 * MAX_TOGETHER)]
        await asyncio.sleep(0)
        asked[5].cancel()
        oracle.let.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(answers.pop(5), asyncio.CancelledError)
        assert answers == [[number] for number in range(2 * MAX_TOGETHER) if number != 5]
        assert oracle.rounds == [1, MAX_TOGETHER - 1, MAX_TOGETHER - 1]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        with pytest.raises(Unanswered):
            await asking.ask((1,))

    asyncio.run(main())


def test_without_an_answer_all_who_wait_are_told_at_once() -> None:
    async def main() -> None:
        oracle = Oracle()
        oracle.dumb = True
        asking = Asking(oracle.answers)
        running = asyncio.create_task(asking.run())
        asked = [asyncio.create_task(asking.ask((number,))) for number in range(3 * MAX_TOGETHER)]
        await asyncio.sleep(0.01)
        oracle.let.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(answer, Unanswered) for answer in answers)
        assert oracle.rounds == [MAX_TOGETHER]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_who_waits_when_it_ends_is_told() -> None:
    async def main() -> None:
        oracle = Oracle()
        asking = Asking(oracle.answers)
        running = asyncio.create_task(asking.run())
        waiting = [asyncio.create_task(asking.ask((number,))) for number in range(2)]
        await asyncio.sleep(0.01)
        later = asyncio.create_task(asking.ask((7,)))
        await asyncio.sleep(0)
        running.cancel()
        answers = await asyncio.gather(*waiting, later, return_exceptions=True)
        assert all(isinstance(answer, Unanswered) for answer in answers)

    asyncio.run(main())


def test_an_answer_that_came_while_this_process_stood_still_counts() -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x")
        await writer.drain()
        writer.close()

    async def stall() -> None:
        await asyncio.sleep(0)
        time.sleep(0.15)  # noqa: ASYNC251 - the stall is what is tested

    async def main() -> None:
        async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            answer, _ = await asyncio.gather(within(0.05, reader.readexactly(1)), stall())
            assert answer == b"x"
            writer.close()
            await writer.wait_closed()

    asyncio.run(main())


def test_what_does_not_come_is_given_up() -> None:
    async def main() -> None:
        never = asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError):
            await within(0.01, never)
        assert never.cancelled()

    asyncio.run(main())
