"""One llama-server of a pool: asked now and then, what is known of it kept."""

from __future__ import annotations

import logging

from ..model import ServedModel, State
from ..telemetry.trouble import Trouble
from .meter import Meter, Served
from .scrape import Facts, LlamaServer, Load, NotAsked, ScrapeFailed

logger = logging.getLogger("llm_router.exporter")


class Member:
    def __init__(self, server: LlamaServer) -> None:
        self._server = server
        self._meter = Meter()
        self._facts: Facts | None = None
        self._load: Load | None = None
        self._trouble = Trouble(logger, f"{server.url} is read again")
        self.state: State = "down"
        self.is_current = True
        """Whether what is told of it is of the last collection: false while its load cannot be read any more."""

    async def collect(self) -> Served | None:
        """Ask once; what it has served since, ``None`` where that cannot be read. What cannot be had now stays as it
        was."""
        before, self.is_current = self.state, True
        try:
            self.state = await self._server.state()
        except NotAsked as failed:
            self._trouble.is_(str(failed))
            self.is_current = self._load is None
            return None
        except ScrapeFailed as failed:
            self.state = "down"
            self._trouble.is_(str(failed))
        if self.state != "up":
            return None
        try:
            return await self._read(returned=before != "up")
        except ScrapeFailed as failed:
            self._trouble.is_(str(failed))
            self.is_current = self._load is None
            return None

    async def _read(self, *, returned: bool) -> Served:
        if self._facts is None or returned:
            self._facts = await self._server.facts()
        self._load = await self._server.load()
        self._trouble.ends()
        return self._meter.feed(self._load.reading, slots=self._facts.slots)

    @property
    def slots(self) -> int:
        return 0 if self._facts is None else self._facts.slots

    @property
    def models(self) -> tuple[ServedModel, ...]:
        return () if self._facts is None else self._facts.models

    @property
    def busy(self) -> int:
        return 0 if self._load is None else min(self._load.reading.processing, self.slots)

    @property
    def deferred(self) -> int:
        return 0 if self._load is None else self._load.deferred

    @property
    def capacity(self) -> float | None:
        return self._meter.capacity

    @property
    def prefill(self) -> float | None:
        return self._meter.prefill
