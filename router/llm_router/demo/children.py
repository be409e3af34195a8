"""The demo's child processes: started, watched until they answer, ended by their own ids."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import RouterError

LOG_LINES_SHOWN = 12


class ChildFailed(RouterError):
    """A process of the demo did not do its part; the text ends with what it said last."""


class Child:
    """One process. Its output goes to ``log``; it can be ended and started again."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.name, self._command, self._log = name, tuple(command), log
        self._env = {**os.environ, **env}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                # Ctrl-C is for the demo: it ends its children itself, in order.
                start_new_session=True,
            )

    async def until(self, ready: Callable[[], Awaitable[bool]], deadline_s: float) -> None:
        """Come back once ``ready()``. Raises ``ChildFailed`` if the process ends or the time is up before."""
        try:
            async with asyncio.timeout(deadline_s):
                while not await ready():
                    self.check()
                    await asyncio.sleep(0.05)
                self.check()
        except TimeoutError:
            raise ChildFailed(self._story(f"was not ready after {deadline_s:g} s")) from None

    def check(self) -> None:
        """Raises ``ChildFailed`` if the process has ended."""
        if not self.running:
            raise ChildFailed(self._story("ended"))

    def freeze(self) -> None:
        """Let it do nothing from now on; it still holds its port."""
        self._signal(signal.SIGSTOP)

    async def kill(self) -> None:
        """End it without a word, as a lost node would."""
        await self._end(signal.SIGKILL)

    async def end(self, grace_s: float = 5.0) -> None:
        try:
            async with asyncio.timeout(grace_s):
                await self._end(signal.SIGTERM)
        except TimeoutError:
            await self.kill()

    async def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._signal(number)
            await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            # Not the process's own send_signal: that would collect a child that ended just now, before asyncio can.
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def _story(self, what: str) -> str:
        said = self._log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        return "\n  ".join([f"{self.name} {what}; it said last:", *(said or ["(nothing)"])])
