"""The ledger at rest: one record per request in SQLite, PostgreSQL or Redis, written in the background."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ...config.schema import LedgerStore
from ...telemetry.metrics import Metrics
from .journal import Journal
from .store import open_store

__all__ = ["journal_of"]


@asynccontextmanager
async def journal_of(settings: LedgerStore, metrics: Metrics, *, folder: Path) -> AsyncIterator[Journal | None]:
    """A running journal of the configured store; ``None`` where the ledger is in memory only. A relative file counts
    from ``folder``. Raises ``ConfigError`` as ``open_store`` does; a store that does not answer is no error."""
    if settings.url is None:
        yield None
        return
    journal = Journal(
        open_store(str(settings.url), folder=folder),
        metrics,
        max_waiting=settings.max_waiting,
        retention_s=settings.retention,
        clock=time.monotonic,
        unix_time=time.time,
    )
    async with journal:
        yield journal
