"""A real router for tests: the whole object graph behind a real uvicorn, in a thread of its own."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvloop
import yaml
from prometheus_client import CollectorRegistry

from llm_router.api.serving import Site, listen, serve_sites
from llm_router.app import RouterApp
from llm_router.config.load import Loaded, parse
from llm_router.graph import Surroundings
from llm_router.pricing.ledger import Ledger
from llm_router.pricing.list_prices import PriceBook
from llm_router.state.ledger import journal_of
from llm_router.state.opening import open_counters
from llm_router.telemetry.metrics import Metrics
from llm_router.upstream.http1 import Http1Client
from tests.router.standins import Standins

MODELS = {"openai": "gpt-5.4-mini", "anthropic": "claude-haiku-5-5", "gemini": "gemini-3.5-flash-lite"}


@dataclass
class Running:
    """A running router. ``config`` is what a reload reads; ``client`` asks the public listener, ``admin`` the other."""

    url: str
    admin_url: str
    config: dict[str, Any]
    ledger: Ledger
    app: RouterApp
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event
    client: httpx.Client = field(init=False)
    admin: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=30.0, trust_env=False)
        self.admin = httpx.Client(base_url=self.admin_url, timeout=30.0, trust_env=False)

    def chat(self, text: str = "Hello", *, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        body = {"model": "auto", "messages": [{"role": "user", "content": text}], "max_tokens": 12} | fields
        return self.client.post("/v1/chat/completions", json=body, headers=headers)

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the router's own loop."""
        return asyncio.run_coroutine_threadsafe(main, self.loop).result(30)


def providers(standins: Standins, *names: str) -> list[dict[str, Any]]:
    """The stand-ins as ``externalProviders``; no health checks, so that nothing but requests reaches them."""
    return [
        {
            "name": name,
            "type": name,
            "apiKey": getattr(standins, name).api_key,
            "baseUrl": getattr(standins, name).url,
            "models": [MODELS[name]],
            "healthCheck": {"enabled": False},
            "region": "us",
        }
        for name in names or MODELS
    ]


@contextmanager
def running_router(
    config: dict[str, Any],
    *,
    load: Callable[[], Loaded] | None = None,
    folder: Path = Path(),
    unix_time: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Running]:
    """Serve ``config`` on free ports until the context ends; it must end with no request left open. ``folder`` is where
    its relative files are."""
    started: list[Running] = []
    ready = threading.Event()
    problem: list[BaseException] = []

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def reload() -> Loaded:
            return load() if load is not None else parse(yaml.safe_dump(started[0].config), "test.yaml", {})

        loaded = parse(yaml.safe_dump(config), "test.yaml", {})
        metrics = Metrics(CollectorRegistry())
        async with (
            journal_of(loaded.config.ledger, metrics, folder=folder) as journal,
            open_counters(loaded.config.state, metrics, clock=time.monotonic, sleep=asyncio.sleep) as counters,
            Http1Client(connect_timeout_s=loaded.config.router.timeouts.connect) as client,
        ):
            ledger = Ledger() if journal is None else Ledger(also=journal.put)
            around = Surroundings(
                client=client,
                tls=ssl.create_default_context(),
                prices=PriceBook(datetime.now(UTC)),
                ledger=ledger,
                journal=journal,
                metrics=metrics,
                counters=counters,
                sleep=asyncio.sleep,
                clock=clock,
                unix_time=unix_time,
            )
            app = RouterApp(loaded, around, reload)
            public, admin = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
            ports = public.getsockname()[1], admin.getsockname()[1]
            url, admin_url = (f"http://127.0.0.1:{port}" for port in ports)
            app.start()
            started.append(Running(url, admin_url, config, ledger, app, loop, stop))
            loop.call_soon(ready.set)
            sites = [Site(app=app.public, socket=public), Site(app=app.admin, socket=admin)]
            try:
                await serve_sites(sites, drain_s=2.0, stop=stop, on_drain=app.drain)
            finally:
                await app.stop()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(main())
        except BaseException as error:
            problem.append(error)
            ready.set()

    thread = threading.Thread(target=run, name="router")
    thread.start()
    assert ready.wait(30), "the router did not start"
    if problem:
        thread.join()
        raise problem[0]
    try:
        yield started[0]
    finally:
        started[0].client.close()
        started[0].admin.close()
        started[0].loop.call_soon_threadsafe(started[0].stop.set)
        thread.join(30)
        assert not thread.is_alive(), "the router did not stop"
        if problem:
            raise problem[0]
