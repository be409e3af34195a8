"""Real programs under test: start one, wait until it is ready, read what it said, end it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx


class NotReady(AssertionError):
    """The program ended, or was not ready in time; the text ends with what it said last."""


class Process:
    """A running program. Its output, both streams, is in ``log``. As a context manager it ends the program."""

    def __init__(self, command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None) -> None:
        """``env`` is added to this process's environment."""
        self.command = [str(word) for word in command]
        self.log = log
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal, or ``None`` while the program runs."""
        return self._popen.poll()

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until(self, ready: Callable[[], bool], *, deadline_s: float = 60.0) -> None:
        """Comes back once ``ready()``; raises ``NotReady`` where the program ends or the deadline passes before."""
        ends_at = time.monotonic() + deadline_s
        while not ready():
            if self.returncode is not None:
                raise NotReady(self._story(f"ended with code {self.returncode}"))
            if time.monotonic() > ends_at:
                raise NotReady(self._story(f"was not ready after {deadline_s:g} s"))
            time.sleep(0.02)

    def wait(self, *, deadline_s: float = 60.0) -> int:
        """The exit code; raises ``NotReady`` where the program still runs after the deadline."""
        try:
            return self._popen.wait(deadline_s)
        except subprocess.TimeoutExpired as error:
            raise NotReady(self._story(f"still runs after {deadline_s:g} s")) from error

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def end(self, *, grace_s: float = 5.0) -> int:
        """Ends the program, by SIGTERM and, where that does not help in time, by SIGKILL; the exit code."""
        if self._popen.poll() is None:
            self._popen.terminate()
            try:
                self._popen.wait(grace_s)
            except subprocess.TimeoutExpired:
                self._popen.kill()
        code = self._popen.wait()
        self.ended()
        return code

    def ended(self) -> None:
        """Whoever wants to look at what ended programs have said replaces this."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def _story(self, what: str) -> str:
        last = "\n".join(self.output.splitlines()[-30:])
        return f"{' '.join(self.command)}\n{what}; it said:\n{last}"


def answers(url: str, status: int = 200) -> bool:
    """Whether a GET of ``url`` is answered with ``status`` now: a readiness predicate."""
    try:
        return httpx.get(url, timeout=10.0, trust_env=False).status_code == status
    except httpx.TransportError:
        return False
