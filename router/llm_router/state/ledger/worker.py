"""A thread of our own for calls that block: one that never comes back holds up nobody, not even the process's end."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from .store import StoreUnavailable

T = TypeVar("T")


class Worker:
    """Runs calls in order, one at a time, in a thread that starts with the first."""

    def __init__(self, name: str, timeout_s: float) -> None:
        self._name, self._timeout_s = name, timeout_s
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._overdue: asyncio.Future[Any] | None = None

    async def do(self, call: Callable[[], T]) -> T:
        """What ``call`` returns or raises. ``StoreUnavailable`` where that takes too long, and at once while an earlier
        call that took too long still runs."""
        if self._overdue is not None and not self._overdue.done():
            raise StoreUnavailable(f"it has not answered for more than {self._timeout_s:g} s")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        done.add_done_callback(lambda late: late.cancelled() or late.exception())  # nobody may be waiting any more
        self._calls.put(lambda: _run(call, loop, done))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        finished, _ = await asyncio.wait([done], timeout=self._timeout_s)
        if not finished:
            self._overdue = done
            raise StoreUnavailable(f"it did not answer within {self._timeout_s:g} s")
        return done.result()

    def end(self) -> None:
        """No calls after this; one that runs is left to itself."""
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


def _run(call: Callable[[], T], loop: asyncio.AbstractEventLoop, done: asyncio.Future[T]) -> None:
    tell: Callable[[], None]
    try:
        result = call()
    except Exception as error:
        told = error

        def tell() -> None:
            if not done.cancelled():
                done.set_exception(told)
    else:

        def tell() -> None:
            if not done.cancelled():
                done.set_result(result)

    try:
        loop.call_soon_threadsafe(tell)
    except RuntimeError:  # the loop has ended: nobody waits any more
        return
