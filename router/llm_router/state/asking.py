"""Asks together what is asked while an answer is awaited: one connection, one round trip for however many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

MAX_TOGETHER = 100

Question = tuple[Any, ...]
Answer = Sequence[int]
T = TypeVar("T")


class Unanswered(Exception):
    """Nobody answered in time."""


class Asking:
    """``answers`` gives one answer for each question, or raises ``Unanswered`` for all of them."""

    def __init__(self, answers: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]]) -> None:
        self._answers = answers
        self._asked: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._woken = asyncio.Event()
        self._closed = False

    async def ask(self, question: Question) -> Answer:
        """Raises ``Unanswered``."""
        if self._closed:
            raise Unanswered
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked.append((question, future))
        self._woken.set()
        return await future

    async def run(self) -> None:
        try:
            while True:
                await self._woken.wait()
                self._woken.clear()
                while self._asked:
                    await self._round()
        finally:
            self._closed = True
            self._refuse(self._asked)

    async def _round(self) -> None:
        together = [(question, future) for question, future in self._asked[:MAX_TOGETHER] if not future.done()]
        del self._asked[:MAX_TOGETHER]
        if not together:
            return
        try:
            answers = await self._answers([question for question, _ in together])
        except Unanswered:
            self._refuse(together + self._asked)
            self._asked.clear()
            return
        except asyncio.CancelledError:
            self._refuse(together)
            raise
        for (_, future), answer in zip(together, answers, strict=True):
            if not future.done():
                future.set_result(answer)

    @staticmethod
    def _refuse(asked: Sequence[tuple[Question, asyncio.Future[Answer]]]) -> None:
        for _, future in asked:
            if not future.done():
                future.set_exception(Unanswered())


async def within(timeout_s: float, answer: Awaitable[T]) -> T:
    """The answer, or ``TimeoutError``. Not ``asyncio.timeout``, because after a stall of this process its timers go off
    before what has long come is read: then the answer is looked at first."""
    task = asyncio.ensure_future(answer)
    try:
        await asyncio.wait({task}, timeout=timeout_s)
        for _ in range(_TURNS):
            if task.done():
                break
            await asyncio.sleep(0)
    finally:
        if not task.done():
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if task.cancelled():
        raise TimeoutError(f"no answer within {timeout_s:g} s")
    return task.result()


_TURNS = 3
"""Of the event loop, to read an answer that is there."""
