"""The router's own timers over one attempt: first content token, gap between content tokens, total.

(The fourth, connect, is the client's.) They run only while the router waits for the upstream: a slow reader of the
answer does not make the upstream late. Keep-alive comments and role chunks move nothing, only content does.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Literal

from ..config.schema import Timeouts
from ..errors import UpstreamSilent

Phase = Literal["first_token", "between_tokens", "total"]
GRACE_S = 1.0
"""How long the upstream may take for its usage after its finish reason."""


class Deadlines:
    """A context manager around every wait for the upstream: ``with deadlines: await answer.some()``.

    Raises ``UpstreamSilent`` naming the timer that ran out. One loop timer serves all waits of an attempt; it is
    moved only when it fires, so that a wait costs two clock readings.
    """

    __slots__ = ("_due", "_entered", "_expired", "_left_s", "_loop", "_phase", "_task", "_timeouts", "_timer", "_total")

    def __init__(self, timeouts: Timeouts, total_s: float) -> None:
        """``total_s`` is what is left of the request's total when the attempt starts."""
        self._loop = asyncio.get_running_loop()
        self._timeouts = timeouts
        self._total = self._loop.time() + total_s
        self._phase: Phase = "first_token"
        self._left_s: float = timeouts.first_token
        self._due = self._entered = 0.0
        self._expired = False
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def content(self) -> None:
        """A content token came."""
        self._phase, self._left_s = "between_tokens", self._timeouts.between_tokens

    def stretch(self, seconds: float) -> None:
        """Give what is waited for now so much longer."""
        self._left_s += seconds

    def finishing(self) -> None:
        """The finish reason came: only usage may follow."""
        self._left_s = min(self._left_s, GRACE_S)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __enter__(self) -> None:
        self._entered = self._loop.time()
        self._due = min(self._entered + self._left_s, self._total)
        self._task = asyncio.current_task()
        if self._timer is None or self._timer.when() > self._due:
            self._arm()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        self._left_s -= self._loop.time() - self._entered
        if self._expired and exc_type is asyncio.CancelledError and task is not None and task.uncancel() == 0:
            raise UpstreamSilent("total" if self._due >= self._total else self._phase) from exc

    def _arm(self) -> None:
        self.stop()
        self._timer = self._loop.call_at(self._due, self._fire)

    def _fire(self) -> None:
        self._timer = None
        if self._task is None:
            return
        if self._loop.time() < self._due:
            self._arm()
        else:
            self._expired = True
            self._task.cancel()
