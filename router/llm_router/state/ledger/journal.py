"""Takes settled records to their store, in the background: the request path hands a record over and goes on.

put → wait a moment for more → write a batch → on failure keep it, and try again
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar

from ...errors import RouterError
from ...pricing.records import Record
from ...telemetry.metrics import Metrics
from .store import RecordsRefused, Store, StoreUnavailable
from .worker import Worker

GATHER_S = 0.5
"""How long a record waits for others. With the time that a write takes it is on disk within a second."""
BATCH = 500
WRITE_S, REPORT_S = 20.0, 120.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0
LAST_TRY_S = 10.0
"""How long the end of the router waits for a store that does not take the last records."""
TIDY_EVERY_S = 3600.0
JUMP_S = 3600.0
"""A wall clock that has moved so much against the monotonic one since the start is not one to delete records by."""

logger = logging.getLogger("llm_router.ledger")
T = TypeVar("T")


class Journal:
    """Belongs to one event loop; use it as a context manager. At most ``max_waiting`` records wait for a store that
    does not take them: what comes beyond that is lost, counted and logged, since requests are worth more than records.
    ``clock`` is monotonic."""

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        *,
        max_waiting: int,
        retention_s: float | None,
        clock: Callable[[], float],
        unix_time: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store, self._metrics = store, metrics
        self._max_waiting, self._retention_s = max_waiting, retention_s
        self._clock, self._unix_time, self._sleep = clock, unix_time, sleep
        self._offset_s = unix_time() - clock()
        self._waiting: deque[tuple[Record, float]] = deque()
        self._some = asyncio.Event()
        self._some.set()  # the first write is one of nothing: it shows whether the store is there
        self._opened = False
        self._one_writes = asyncio.Lock()
        self._writer, self._reader = Worker("ledger-writer", WRITE_S), Worker("ledger-reader", REPORT_S)
        self._tasks: list[asyncio.Task[None]] = []
        self.written = self.lost = 0
        self.trouble: str | None = None
        """Why the last write failed; ``None`` while all is well."""

    async def __aenter__(self) -> Self:
        self._show()
        self._tasks.append(asyncio.create_task(self._keep_writing()))
        if self._retention_s is not None:
            self._tasks.append(asyncio.create_task(self._keep_tidy(self._retention_s)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._write_the_last()
        self._writer.end()
        self._reader.end()
        self._store.close()

    @property
    def backend(self) -> str:
        return self._store.backend

    def put(self, record: Record) -> None:
        """Takes a record over; never waits."""
        if len(self._waiting) >= self._max_waiting:
            self._lose(1, f"{self._max_waiting} wait already (ledger.maxWaiting)")
            return
        self._waiting.append((record, self._clock()))
        self._some.set()

    async def read(self, question: Callable[[Store], T]) -> T:
        """The answer of the store, with all records that were put before. Raises ``StoreUnavailable``."""
        await self._write_all()
        return await self._reader.do(lambda: question(self._store))

    def state(self) -> dict[str, Any]:
        return {
            "backend": self.backend,
            "up": self.trouble is None,
            "error": self.trouble,
            "waiting": len(self._waiting),
            "delay_s": round(self._delay_s(), 3),
            "written": self.written,
            "lost": self.lost,
        }

    # ------------------------------------------------------------ writing

    async def _keep_writing(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            await self._some.wait()
            await self._sleep(GATHER_S)
            try:
                await self._write_all()
                pause_s = FIRST_PAUSE_S
            except StoreUnavailable:
                await self._sleep(pause_s)
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def _write_all(self) -> None:
        """Everything that waits now, in batches. After ``StoreUnavailable`` what is not written waits on."""
        async with self._one_writes:
            left = len(self._waiting)
            while left > 0 or not self._opened:
                batch = [record for record, _ in islice(self._waiting, min(BATCH, left))]
                try:
                    done = await self._write(batch)
                except StoreUnavailable as error:
                    self._note_trouble(str(error))
                    raise
                for _ in range(done):
                    self._waiting.popleft()
                left -= done
                self._note_success()
            if not self._waiting:
                self._some.clear()

    async def _write(self, batch: list[Record]) -> int:
        """Writes all, or of a batch that the store refuses the first half, down to the one that it is about: that takes
        no others with it. How many, from the first on, need not wait any more."""
        try:
            await self._writer.do(lambda: self._store.write(batch))
        except RecordsRefused as error:
            if len(batch) > 1:
                return await self._write(batch[: len(batch) // 2])
            self._lose(len(batch), f"the store refuses it: {error}")
        else:
            self.written += len(batch)
            self._metrics.ledger_records(self.backend, "written", len(batch))
        return len(batch)

    async def _write_the_last(self) -> None:
        try:
            async with asyncio.timeout(LAST_TRY_S):
                while self._waiting:
                    try:
                        await self._write_all()
                    except StoreUnavailable:
                        await asyncio.sleep(FIRST_PAUSE_S)
        except TimeoutError:
            self._lose(len(self._waiting), f"the router ends, and the store does not take them: {self.trouble}")
            self._waiting.clear()

    # ------------------------------------------------------------ deleting

    async def _keep_tidy(self, retention_s: float) -> None:
        while True:
            if abs(self._unix_time() - self._clock() - self._offset_s) > JUMP_S:
                logger.error("the clock has jumped: no old records are deleted before the router is restarted")
                return
            try:
                before = self._unix_time() - retention_s
                await self._reader.do(lambda: self._store.delete_before(before))  # noqa: B023 - awaited here
            except RouterError as error:
                logger.warning("old records of the ledger could not be deleted: %s", error)
            await self._sleep(TIDY_EVERY_S)

    # ------------------------------------------------------------ telling

    def _note_trouble(self, why: str) -> None:
        if self.trouble is None:
            logger.error("the ledger (%s) cannot be written, records wait in memory: %s", self.backend, why)
        self.trouble = why
        self._show()

    def _note_success(self) -> None:
        self._opened = True
        if self.trouble is not None:
            logger.warning("the ledger (%s) is written again", self.backend)
        self.trouble = None
        self._show()

    def _lose(self, count: int, why: str) -> None:
        """Says so at the first, the tenth, the hundredth… loss: never in silence, and never a line for each."""
        before, self.lost = self.lost, self.lost + count
        self._metrics.ledger_records(self.backend, "lost", count)
        if len(str(before)) < len(str(self.lost)) or before == 0:
            logger.error("%d records of the ledger are lost: %s", self.lost, why)

    def _delay_s(self) -> float:
        return self._clock() - self._waiting[0][1] if self._waiting else 0.0

    def _show(self) -> None:
        self._metrics.ledger(self.backend, len(self._waiting), self._delay_s(), up=self.trouble is None)
