"""A worker: a whole router on the public socket that it was given, told by the supervisor what to do."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import msgspec
from starlette.types import ASGIApp, Message, Scope

from ..api.ledger import kept_in, tallies_of, unreadable
from ..api.metrics import bring_up_to_date
from ..api.serving import Stopping, serve_sites
from ..app import Prepared as PreparedReload
from ..app import RouterApp
from ..config.load import Loaded, parse
from ..errors import ConfigError, NoTarget
from ..execution.generation import Generation
from ..graph import Surroundings
from ..pricing.savings import CHEAPEST, Query
from ..router_process import public_site, settle_memory, surroundings
from ..state.ledger.store import StoreUnavailable
from ..telemetry.merging import families
from . import messages
from .channel import Channel, Unanswered

SCRAPE_S = 5.0


async def serve_worker(listener: socket.socket, channel_end: socket.socket, env: Mapping[str, str]) -> None:
    """Serve ``listener`` as the process at the other end of ``channel_end`` says; when that ends, so does this.

    Raises ``ConfigError`` where its router cannot be built."""
    orders = _Orders()
    channel = await Channel.over(channel_end, messages.ToWorker, orders.answer)
    talking = asyncio.create_task(channel.run())
    talking.add_done_callback(lambda _: orders.over())
    # Ctrl-C and a service manager's signals reach all processes of a group: the supervisor says what they mean.
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, orders.over, True)
    for number in (signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, lambda: None)
    try:
        await _serve(listener, channel, orders, env)
    finally:
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)


async def _serve(listener: socket.socket, channel: Channel, orders: _Orders, env: Mapping[str, str]) -> None:
    async def all_metrics() -> bytes:
        try:
            return await channel.ask(messages.Scrape(), bytes, timeout_s=SCRAPE_S)
        except Unanswered as error:
            raise NoTarget(503, "router_stopping", f"The metrics of all workers are not to be had: {error}.") from error

    begin = await orders.begin
    if begin is None:
        return
    loaded = parse(begin.text, begin.path, env)
    server = loaded.config.server
    async with surroundings(loaded) as around:
        app = RouterApp(loaded, around, lambda: loaded, all_metrics)
        site = public_site(app, server, listener)
        app.start()
        try:
            orders.built(_Router(app, around, begin.path, env))
            if await orders.told_to_serve():
                settle_memory()
                await serve_sites(
                    [site],
                    drain_s=server.drain_timeout,
                    notice_s=server.drain_delay,
                    stop=orders.stopping,
                    on_drain=app.drain,
                )
        finally:
            await app.stop()


class _Orders:
    """What the supervisor has said so far."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.begin: asyncio.Future[messages.Begin | None] = loop.create_future()
        self.stopping = Stopping()
        self._router: asyncio.Future[_Router] = loop.create_future()
        self._serve = asyncio.Event()

    def built(self, router: _Router) -> None:
        self._router.set_result(router)

    async def told_to_serve(self) -> bool:
        """False where the end comes first."""
        told = [asyncio.create_task(event.wait()) for event in (self._serve, self.stopping.begun)]
        await asyncio.wait(told, return_when=asyncio.FIRST_COMPLETED)
        for task in told:
            task.cancel()
        return not self.stopping.begun.is_set()

    def over(self, announced: bool = False) -> None:
        """The supervisor is gone, or somebody wants this worker to end."""
        if not self.begin.done():
            self.begin.set_result(None)
        if not self.stopping.begun.is_set():
            self.stopping.begin(announced=announced)

    async def answer(self, question: messages.ToWorker) -> object:
        match question:
            case messages.Begin():
                self.begin.set_result(question)
                return (await self._router).fingerprint
            case messages.Serve():
                self._serve.set()
            case messages.Drain():
                self.stopping.begin(announced=question.announced)
            case messages.Hurry():
                self.stopping.hurried.set()
            case _:
                return await (await self._router).answer(question)
        return None


@dataclass(slots=True)
class _Router:
    """The running router, as the supervisor may ask it."""

    app: RouterApp
    around: Surroundings
    path: str
    env: Mapping[str, str]
    prepared: PreparedReload | None = None

    @property
    def fingerprint(self) -> str:
        return _fingerprint(self.app.loaded, self.app.generation())

    async def answer(self, question: messages.ToWorker) -> object:
        match question:
            case messages.Measure():
                await bring_up_to_date(self.app.generation())
                return families(self.around.metrics.registry)
            case messages.Read():
                return await _page(self.app.unguarded_admin, question)
            case messages.Prepare():
                return await self._prepare(question.text)
            case messages.TakeOver() if self.prepared is not None:
                prepared, self.prepared = self.prepared, None
                await self.app.take_over(prepared)
            case messages.Drop():
                dropped, self.prepared = self.prepared, None
                await self.app.drop(dropped)
            case messages.Write():
                return await self._write()
            case messages.Count():
                return await self._count(question.query)
        return None

    async def _prepare(self, text: bytes) -> messages.Prepared:
        def load() -> Loaded:
            return parse(text, self.path, self.env)

        try:
            self.prepared = await self.app.prepare(load)
        except ConfigError as error:
            return messages.Prepared(problems=error.problems)
        return messages.Prepared(fingerprint=_fingerprint(self.prepared.loaded, self.prepared.generation))

    async def _write(self) -> messages.Written:
        journal = self.around.journal
        try:
            if journal is not None:
                await journal.read(lambda _store: None)
        except StoreUnavailable as error:
            return messages.Written(unreadable(error))
        return messages.Written()

    async def _count(self, query: Query) -> messages.Counted:
        current = self.app.generation()
        try:
            tallies, complete = await tallies_of(current, query)
        except NoTarget as error:
            return messages.Counted(fault=error.message)
        baseline = current.policy.baseline or CHEAPEST
        return messages.Counted(tuple(tallies.items()), complete, baseline, kept_in(current))


def _fingerprint(loaded: Loaded, generation: Generation) -> str:
    """Of everything that was read: the configuration with its secrets, and the API keys."""
    keys = None if generation.keys is None else sorted(generation.keys, key=lambda key: key.name)
    content = msgspec.msgpack.encode((loaded.config, keys), enc_hook=_plain, order="deterministic")
    return hashlib.sha256(content).hexdigest()


def _plain(value: object) -> object:
    """The configuration's own kinds of text and numbers, as what they are underneath."""
    for kind in (str, float, int):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"nothing is known of {type(value)}")


async def _page(app: ASGIApp, asked: messages.Read) -> messages.Page:
    """What the application answers, without a socket."""
    status, body = 500, b""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, body
        status = message.get("status", status)
        body += message.get("body", b"")

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": asked.path,
        "raw_path": quote(asked.path).encode(),
        "query_string": asked.query,
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": None,
        "server": None,
        "extensions": {},
        "state": {},
    }
    await app(scope, receive, send)
    return messages.Page(status, body)
