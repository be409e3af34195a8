"""One HTTP server for all price tests; each test says which stand-in answers there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from starlette.types import Receive, Scope, Send

from llm_router.exporter.prices.base import PriceSource
from tests.router.edge import run, served
from tests.router.exporter.prices.standins import Standin


@dataclass
class Stage:
    url: str = ""
    standin: Standin | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.standin is not None
        await self.standin(scope, receive, send)

    def asked(self, standin: Standin, source: Callable[[str], PriceSource]) -> float:
        """What the source, made for the server's URL, says with ``standin`` at the other end."""
        self.standin = standin

        async def ask() -> float:
            client = source(self.url)
            try:
                return await asyncio.wait_for(client.usd_per_hour(), 30)
            finally:
                await client.aclose()

        return run(ask())


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    stage = Stage()
    with served(stage) as (host, port):
        stage.url = f"http://{host}:{port}"
        yield stage
