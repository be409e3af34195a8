"""The router as ASGI: a public app, an admin app and one for metrics over one current generation, nothing global.

``RouterApp`` serves whatever generation is current, watches its clusters and providers in the background, and swaps
generations as a whole on reload. The chat path is answered ahead of Starlette's routing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from msgspec import structs
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from .admission.admin_credentials import AdminCredentials, admin_credentials
from .api.admin import admin_routes
from .api.admin_door import guarded_admin
from .api.application import application, unexpected
from .api.browsers import judge_keyless
from .api.errors import guard_body
from .api.guard import Guard, Refusal
from .api.health import health_routes
from .api.metrics import Scrape, metrics_app, metrics_route, own_metrics
from .api.models import model_routes
from .api.not_yet import not_yet_routes
from .api.openai import PATH as CHAT_PATH
from .api.openai import ChatDoor
from .api.route import route_routes
from .config.hosts import is_loopback
from .config.load import Loaded
from .config.schema import Config
from .discovery.base import ClusterSet, Discovery
from .discovery.methods import Means, discovery_of
from .errors import ConfigError, Problem
from .execution.generation import Generation
from .execution.meaning import RELEARN_S
from .graph import Surroundings, build
from .routing.targets import enabled_providers
from .signals.memory import memory_share
from .signals.polling import poll_forever
from .telemetry.loop_lag import measure_loop_lag
from .telemetry.metrics import Metrics

TICK_S = 1.0
"""How soon what time alone changes is seen: slow samples leave the window, nodes cost rent, memory runs
short."""

FIRST_LOOK_S = 10.0
"""How long a router that has just started waits until it has looked at its pools."""

logger = logging.getLogger("llm_router.app")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a reload swaps to."""

    loaded: Loaded
    discovery: Discovery
    generation: Generation
    admin: AdminCredentials


class RouterApp:
    """``load`` reads the configuration anew for a reload; it raises ``ConfigError`` when that is refused.
    ``all_metrics`` speaks for this process and others; without it the router shows its own."""

    def __init__(
        self, loaded: Loaded, around: Surroundings, load: Callable[[], Loaded], all_metrics: Scrape | None = None
    ) -> None:
        self._around, self._load = around, load
        self._loaded = loaded
        self._admin_credentials = admin_credentials(loaded)
        self._discovery = discovery_of(loaded.config, _means(around))
        self._generation = self._build(loaded, self._discovery.current)
        self._generation.rents.post()
        self._polls: list[asyncio.Task[None]] = []
        self._reloading = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None
        self._started_at = around.clock()
        self.draining = False
        around.metrics.reloaded(success=True)
        public: list[BaseRoute] = [
            *health_routes(self.generation, self._not_ready),
            *model_routes(self.generation),
            *route_routes(self.generation),
            *not_yet_routes(),
        ]
        scrape = all_metrics or own_metrics(self.generation)
        if is_loopback(loaded.config.server.host):
            public.append(metrics_route(scrape))
        chat = ServerErrorMiddleware(ChatDoor(self.generation), handler=unexpected)
        self.public: ASGIApp = Guard(_ChatFirst(chat, application(public)), render=guard_body, judge=self._judge_public)
        shown = admin_routes(self.generation, self.reload)
        self.admin: ASGIApp = guarded_admin(
            shown,
            lambda: self._admin_credentials,
            around.metrics.admin_logins,
            on_loopback=is_loopback(loaded.config.admin.host),
            clock=around.clock,
            unix_time=around.unix_time,
        )
        self.unguarded_admin: ASGIApp = application(shown)
        """For whoever has asked already who it is."""
        self.metrics: ASGIApp = metrics_app(scrape, loaded.config.admin.metrics_token)

    def _judge_public(self, scope: Scope) -> Refusal | None:
        return judge_keyless(scope) if self._generation.keys is None else None

    @property
    def loaded(self) -> Loaded:
        return self._loaded

    def generation(self) -> Generation:
        return self._generation

    def start(self) -> None:
        """Begin to watch clusters and providers, and to look for more; call it in the running loop."""
        self._start_polls()
        self._following = asyncio.create_task(self._follow(self._discovery))

    async def stop(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._discovery.aclose()
        await self._stop_polls()

    def drain(self) -> None:
        """Tell load balancers to send nobody any more; what is under way goes on."""
        self.draining = True

    async def reload(self) -> None:
        """Swap to the configuration as it is now; requests under way keep theirs. Raises ``ConfigError`` and keeps
        the old generation when the new one is refused."""
        async with self._reloading:
            await self.take_over(await self.prepare(self._load))

    def _not_ready(self) -> str | None:
        """Why a load balancer should send nobody here. Clusters are waited for until the registry has answered; one
        that is down holds up a router with other targets for one refresh interval, not for ever. A pool that may be at
        zero counts as being there until it was looked at, and would be passed over although it runs."""
        if self.draining:
            return "draining"
        waited_s = self._around.clock() - self._started_at
        if waited_s < FIRST_LOOK_S and any(watch.unseen for watch in self._generation.watches):
            return "looking at pools"
        if not self._discovery.current.awaited:
            return None
        patient = not self._generation.targets or waited_s < self._loaded.config.discovery.refresh_interval
        return "looking for clusters" if patient else None

    async def _forget_old_latencies(self) -> None:
        for standing in self._generation.standings.values():
            standing.post_latency()

    async def _reckon_rents(self) -> None:
        self._generation.rents.tick()

    async def _look_at_memory(self) -> None:
        self._generation.load.memory_share = memory_share(processes=self._loaded.config.server.workers)

    async def prepare(self, load: Callable[[], Loaded]) -> Prepared:
        """All of a reload that can fail; nothing has changed yet. Raises ``ConfigError``. The result is either taken
        over or dropped."""
        try:
            loaded = await asyncio.to_thread(load)
            _refuse_what_needs_a_restart(self._loaded.config, loaded.config)
            admin = admin_credentials(loaded)
            discovery = discovery_of(loaded.config, _means(self._around), self._discovery)
            try:
                generation = self._build(loaded, discovery.current, self._generation)
            except ConfigError:
                await discovery.aclose()
                raise
        except ConfigError:
            self._around.metrics.reloaded(success=False)
            raise
        return Prepared(loaded, discovery, generation, admin)

    async def take_over(self, prepared: Prepared) -> None:
        await self.stop()
        self._loaded, self._discovery = prepared.loaded, prepared.discovery
        self._admin_credentials = prepared.admin
        self._take(prepared.generation)
        self.start()
        self._around.metrics.reloaded(success=True)

    async def drop(self, prepared: Prepared | None) -> None:
        """What was prepared is not to be, because somebody else refuses it."""
        if prepared is not None:
            await prepared.discovery.aclose()
            for watch in prepared.generation.watches:
                await watch.aclose()
        self._around.metrics.reloaded(success=False)

    def _build(self, loaded: Loaded, found: ClusterSet, previous: Generation | None = None) -> Generation:
        whole = replace(loaded, config=structs.replace(loaded.config, clusters=found.clusters))
        return build(whole, self._around, previous, draining=found.draining, awaiting_clusters=found.awaited)

    async def _follow(self, discovery: Discovery) -> None:
        """Swap to each cluster set that discovery finds; one that cannot be served leaves all as it is."""
        async with aclosing(discovery.sets()) as sets:
            async for found in sets:
                try:
                    generation = self._build(self._loaded, found, self._generation)
                except ConfigError as error:
                    logger.warning("what discovery by %s found cannot be served: %s", discovery.method, error)
                    continue
                await self._stop_polls()
                self._take(generation)
                self._start_polls()

    def _take(self, generation: Generation) -> None:
        """From now on requests get this one; of what is no longer there nothing is shown any more."""
        old, self._generation = self._generation, generation
        for standing in generation.standings.values():
            standing.post_to(generation.board)
        generation.learning.post_to(generation.board)
        for load in generation.loads.values():
            load.post_to(generation.board)
        generation.rents.take_over(old.rents)
        _forget(old, generation, self._around.metrics)

    def _start_polls(self) -> None:
        polls = [poll_forever(watch.name, watch.interval_s, watch.poll) for watch in self._generation.watches]
        meaning = self._generation.meaning
        if meaning.learns:
            polls.append(poll_forever(meaning.name, lambda: RELEARN_S, meaning.poll))
        polls.append(poll_forever("latencies", lambda: TICK_S, self._forget_old_latencies))
        polls.append(poll_forever("rents", lambda: TICK_S, self._reckon_rents))
        polls.append(poll_forever("memory", lambda: TICK_S, self._look_at_memory))
        polls.append(measure_loop_lag(self._around.metrics.loop_lag))
        self._polls = [asyncio.create_task(poll) for poll in polls]

    async def _stop_polls(self) -> None:
        for poll in self._polls:
            poll.cancel()
        await asyncio.gather(*self._polls, return_exceptions=True)
        for watch in self._generation.watches:
            await watch.aclose()


def _means(around: Surroundings) -> Means:
    return Means(metrics=around.metrics, clock=around.clock, sleep=around.sleep)


def _refuse_what_needs_a_restart(old: Config, new: Config) -> None:
    """What listeners and the client were made from stays: above all, a listener that keys protected must not go on
    without them because the file now says that it is on loopback."""
    fixed: dict[str, Callable[[Config], object]] = {
        "server.host": lambda c: c.server.host,
        "server.port": lambda c: c.server.port,
        "server.tls": lambda c: c.server.tls,
        "server.headerTimeout": lambda c: c.server.header_timeout,
        "server.idleTimeout": lambda c: c.server.idle_timeout,
        "server.workers": lambda c: c.server.workers,
        "server.drainDelay": lambda c: c.server.drain_delay,
        "server.drainTimeout": lambda c: c.server.drain_timeout,
        "admin": lambda c: structs.replace(c.admin, password_hash=None, keys_file=None),
        "ledger": lambda c: c.ledger,
        "router.timeouts.connect": lambda c: c.router.timeouts.connect,
        "state": lambda c: c.state,
    }
    changed = [path for path, get in fixed.items() if get(old) != get(new)]
    if changed:
        message = "changed, which takes a restart: restart the router, or take the change back"
        raise ConfigError([Problem(path, message) for path in changed])


class _ChatFirst:
    """The model endpoint as a raw callable, everything else through Starlette."""

    def __init__(self, chat: ASGIApp, rest: ASGIApp) -> None:
        self._chat, self._rest = chat, rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == CHAT_PATH:
            await self._chat(scope, receive, send)
        else:
            await self._rest(scope, receive, send)


def _forget(old: Generation, new: Generation, metrics: Metrics) -> None:
    """Show nothing any more of what is not there any more."""
    names = {cluster.name for cluster in new.loaded.config.clusters}
    for cluster in old.loaded.config.clusters:
        if cluster.name not in names:
            metrics.cluster_gone(cluster.name, cluster.provider, cluster.region)
    providers = {(provider.name, provider.type) for provider in enabled_providers(new.loaded.config)}
    for provider in enabled_providers(old.loaded.config):
        if (provider.name, provider.type) not in providers:
            metrics.provider_gone(provider.name, provider.type)
    targets = {target.name for target in new.targets}
    models = {(target.owner, target.model) for target in new.targets}
    for target in old.targets:
        if target.name not in targets:
            metrics.target_gone(target.name)
        if (target.owner, target.model) not in models:
            metrics.price_gone(target)
