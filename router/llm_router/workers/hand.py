"""One worker as the supervisor sees it: a process, and a channel to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Awaitable, Callable

from .channel import Channel
from .messages import ToSupervisor

END_S = 5.0


class Hand:
    """``number`` is the worker's place, which its successor takes."""

    def __init__(self, number: int, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self.number, self.process, self.channel = number, process, channel
        self.started_at = self.heard_at = time.monotonic()
        self.started_unix = time.time()
        self.serving = self.served = False

    @classmethod
    async def start(
        cls, number: int, listener: socket.socket, answer: Callable[[ToSupervisor], Awaitable[object]]
    ) -> Hand:
        """A fresh interpreter, not a fork: nothing of the supervisor's threads, loop and memory is taken along but two
        sockets."""
        mine, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", "llm_router", "worker"),
                    *("--listener", str(listener.fileno()), "--channel", str(theirs.fileno())),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=(listener.fileno(), theirs.fileno()),
                )
            except BaseException:
                mine.close()
                raise
        return cls(number, process, await Channel.over(mine, ToSupervisor, answer))

    @property
    def pid(self) -> int:
        return self.process.pid

    async def ended(self) -> int:
        """The exit code, negative for a signal."""
        await self.channel.run()
        try:
            async with asyncio.timeout(END_S):
                return await self.process.wait()
        except TimeoutError:  # it has closed its channel, which only its end does
            self.kill()
            return await self.process.wait()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
