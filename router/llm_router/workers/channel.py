"""Questions and answers between two processes over a socket pair, both ways, many at a time.

Nothing of it is in the file system, so nobody else can connect. When either process ends, the other one sees it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from ..errors import RouterError

T = TypeVar("T")
LENGTH_BYTES = 4

logger = logging.getLogger("llm_router.workers")


class Unanswered(RouterError):
    """The other process has ended, failed to answer, or takes too long."""


class _Frame(Struct, array_like=True):
    number: int
    kind: Literal["question", "answer", "failed"]
    body: msgspec.Raw


class Channel:
    """One end. ``answer`` gets each question of the other end, of the type ``questions``."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        questions: Any,
        answer: Callable[[Any], Awaitable[object]],
    ) -> None:
        self._reader, self._writer, self._answer = reader, writer, answer
        self._questions = msgspec.msgpack.Decoder(questions)
        self._frames = msgspec.msgpack.Decoder(_Frame)
        self._awaited: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._asked = 0
        self.gone = False
        """Whether the other process has ended."""

    @classmethod
    async def over(cls, end: socket.socket, questions: Any, answer: Callable[[Any], Awaitable[object]]) -> Channel:
        end.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=end), questions, answer)

    async def ask(self, question: Struct, kind: type[T], *, timeout_s: float) -> T:
        """The answer, which is a ``kind``. Raises ``Unanswered``."""
        if self.gone:
            raise Unanswered("the other process has ended")
        self._asked += 1
        number = self._asked
        self._awaited[number] = future = asyncio.get_running_loop().create_future()
        try:
            self._send(number, "question", question)
            async with asyncio.timeout(timeout_s):
                return msgspec.msgpack.decode(await future, type=kind)
        except TimeoutError:
            raise Unanswered(f"no answer within {timeout_s:g} s") from None
        finally:
            del self._awaited[number]

    async def run(self) -> None:
        """Answers and passes answers on until the other process is gone."""
        try:
            while True:
                length = int.from_bytes(await self._reader.readexactly(LENGTH_BYTES))
                self._got(self._frames.decode(await self._reader.readexactly(length)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._close()

    def _close(self) -> None:
        self.gone = True
        for future in self._awaited.values():
            if not future.done():
                future.set_exception(Unanswered("the other process has ended"))
        for task in self._answering:
            task.cancel()
        self._writer.close()

    def _got(self, frame: _Frame) -> None:
        if frame.kind == "question":
            task = asyncio.create_task(self._answer_it(frame))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
            return
        future = self._awaited.get(frame.number)
        if future is None or future.done():
            return  # nobody waits any more
        if frame.kind == "failed":
            future.set_exception(Unanswered(msgspec.msgpack.decode(frame.body, type=str)))
        else:
            future.set_result(msgspec.Raw(bytes(frame.body)))

    async def _answer_it(self, frame: _Frame) -> None:
        try:
            answer = await self._answer(self._questions.decode(frame.body))
        except Exception as error:
            logger.exception("a question of another process of the router could not be answered")
            self._send(frame.number, "failed", f"{type(error).__name__} in the other process")
        else:
            self._send(frame.number, "answer", answer)

    def _send(self, number: int, kind: Literal["question", "answer", "failed"], body: object) -> None:
        frame = msgspec.msgpack.encode(_Frame(number, kind, msgspec.Raw(msgspec.msgpack.encode(body))))
        with contextlib.suppress(ConnectionError):
            self._writer.write(len(frame).to_bytes(LENGTH_BYTES) + frame)
