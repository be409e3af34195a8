"""A race of two: the first has a head start, then another is asked beside it, and the first answer counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..errors import AttemptFailed

Runner = TypeVar("Runner")
T = TypeVar("T")


async def race(
    first: Runner,
    ask: Callable[[Runner], Coroutine[Any, Any, T]],
    head_start_s: float,
    beside: Callable[[], Runner | None],
    goes_on: Callable[[Runner, AttemptFailed], bool],
) -> tuple[Runner, asyncio.Task[T]]:
    """Who decided the race, and its ended task: an answer, or the failure after which nobody is left.

    ``beside`` gives the second runner, or ``None`` where there shall be none. ``goes_on`` is told of a failure while
    the other one still runs, and says whether that one may still answer. Whoever runs at the end has been cancelled
    when this returns, and when it is cancelled itself.
    """
    running = {asyncio.create_task(ask(first)): first}
    try:
        done, _ = await asyncio.wait(running, timeout=head_start_s)
        if not done and (second := beside()) is not None:
            running[asyncio.create_task(ask(second))] = second
        while True:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=lambda ended: ended.exception() is not None):  # an answer before a failure
                failure, runner = task.exception(), running.pop(task)
                if not isinstance(failure, AttemptFailed) or not running or not goes_on(runner, failure):
                    return runner, task
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
