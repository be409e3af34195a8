"""Reading requests: the announced size, the body under a cap and a deadline, and noticing that the caller left.

A partial body is never handed on: whoever sees ``read_body`` return has the whole of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from starlette.types import Receive

from ..errors import RouterError


class BodyTooLarge(RouterError):
    """More bytes than allowed, by announcement or in fact. ``max_bytes`` is what would have been allowed."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the request body is larger than {max_bytes} bytes")
        self.max_bytes = max_bytes


class BodyTooSlow(RouterError):
    """The body did not arrive in ``deadline_s`` seconds."""

    def __init__(self, deadline_s: float) -> None:
        super().__init__(f"the request body did not arrive within {deadline_s:g} s")
        self.deadline_s = deadline_s


class ClientGone(RouterError):
    """The caller left: nobody is there to be answered."""


def announced_bytes(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """The body's size as ``content-length`` announces it, ``None`` for a chunked or absent body."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)
    return None


async def read_body(receive: Receive, *, max_bytes: int, deadline_s: float) -> bytes:
    """The whole request body.

    Raises ``BodyTooLarge`` as soon as more than ``max_bytes`` have come, ``BodyTooSlow`` after ``deadline_s``, and
    ``ClientGone`` when the caller leaves, or breaks the framing, before the last part.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(deadline_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone("the caller left before the whole body had come")
                part: bytes = message.get("body", b"")
                size += len(part)
                if size > max_bytes:
                    raise BodyTooLarge(max_bytes)
                parts.append(part)
                if not message.get("more_body", False):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
    except TimeoutError:
        raise BodyTooSlow(deadline_s) from None


class WhileCallerStays:
    """``async with WhileCallerStays(receive):`` cancels what is inside the moment the caller leaves, before the first
    byte of the answer too, and turns that into ``ClientGone``. Enter it once the body has been read.

    A caller who closes only his sending side counts as gone: an ASGI server cannot tell the two apart.
    """

    __slots__ = ("_gone", "_receive", "_task", "_watcher")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("must be entered inside a task")
        self._task = task
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watcher.cancel()
        # Only our own cancellation becomes an answer: where somebody else cancels as well, his wins.
        if self._gone and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise ClientGone("the caller left before the answer was complete") from error

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._task.cancel()
