"""The router as ASGI: a public app and an admin app over one current generation, nothing global.

``RouterApp`` serves whatever generation is current, watches its clusters and providers in the background, and swaps
generations as a whole on reload. The chat path is answered ahead of Starlette's routing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from .api.admin import admin_routes, metrics_route
from .api.errors import answer_of, error_body, guard_body
from .api.guard import Guard
from .api.health import health_routes
from .api.models import model_routes
from .api.not_yet import not_yet_routes
from .api.openai import PATH as CHAT_PATH
from .api.openai import ChatDoor
from .api.route import route_routes
from .config.hosts import is_loopback
from .config.load import Loaded
from .config.schema import Config
from .errors import ConfigError, Problem, RouterError
from .execution.generation import Generation
from .graph import Surroundings, build
from .signals.polling import poll_forever

LATENCY_INTERVAL_S = 1.0
"""How soon a target whose slow samples have left the window is seen as it is now."""


class RouterApp:
    """``load`` reads the configuration anew for a reload; it raises ``ConfigError`` when that is refused."""

    def __init__(self, loaded: Loaded, around: Surroundings, load: Callable[[], Loaded]) -> None:
        self._around, self._load = around, load
        self._generation = build(loaded, around)
        self._polls: list[asyncio.Task[None]] = []
        self._reloading = asyncio.Lock()
        self.draining = False
        around.metrics.reloaded(success=True)
        public: list[BaseRoute] = [
            *health_routes(self.generation, lambda: self.draining),
            *model_routes(self.generation),
            *route_routes(self.generation),
            *not_yet_routes(),
        ]
        if is_loopback(loaded.config.server.host):
            public.append(metrics_route(self.generation))
        chat = ServerErrorMiddleware(ChatDoor(self.generation), handler=_unexpected)
        self.public: ASGIApp = Guard(_ChatFirst(chat, _starlette(public)), render=guard_body)
        self.admin: ASGIApp = Guard(_starlette(admin_routes(self.generation, self.reload)), render=guard_body)

    def generation(self) -> Generation:
        return self._generation

    def start(self) -> None:
        """Begin to watch clusters and providers; call it in the running loop."""
        polls = [(watch.name, watch.interval_s, watch.poll) for watch in self._generation.watches]
        polls.append(("latencies", LATENCY_INTERVAL_S, self._forget_old_latencies))
        self._polls = [asyncio.create_task(poll_forever(*poll)) for poll in polls]

    async def stop(self) -> None:
        for poll in self._polls:
            poll.cancel()
        await asyncio.gather(*self._polls, return_exceptions=True)
        for watch in self._generation.watches:
            await watch.aclose()

    def drain(self) -> None:
        """Tell load balancers to send nobody any more; what is under way goes on."""
        self.draining = True

    async def reload(self) -> None:
        """Swap to the configuration as it is now; requests under way keep theirs. Raises ``ConfigError`` and keeps
        the old generation when the new one is refused."""
        async with self._reloading:
            await self._swap()

    async def _forget_old_latencies(self) -> None:
        for standing in self._generation.standings.values():
            standing.post_latency()

    async def _swap(self) -> None:
        try:
            loaded = await asyncio.to_thread(self._load)
            _refuse_what_needs_a_restart(self._generation.loaded.config, loaded.config)
            generation = build(loaded, self._around, self._generation)
        except ConfigError:
            self._around.metrics.reloaded(success=False)
            raise
        await self.stop()
        self._generation = generation
        self.start()
        self._around.metrics.reloaded(success=True)


def _refuse_what_needs_a_restart(old: Config, new: Config) -> None:
    """What listeners and the client were made from stays: above all, a listener that keys protected must not go on
    without them because the file now says that it is on loopback."""
    fixed: dict[str, Callable[[Config], object]] = {
        "server.host": lambda c: c.server.host,
        "server.port": lambda c: c.server.port,
        "server.tls": lambda c: c.server.tls,
        "server.headerTimeout": lambda c: c.server.header_timeout,
        "server.idleTimeout": lambda c: c.server.idle_timeout,
        "admin": lambda c: c.admin,
        "router.timeouts.connect": lambda c: c.router.timeouts.connect,
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


def _starlette(routes: Sequence[BaseRoute]) -> Starlette:
    return Starlette(
        routes=routes,
        exception_handlers={
            RouterError: _router_error,
            HTTPException: _http_error,
            Exception: _unexpected,
        },
    )


async def _router_error(_request: Request, exc: Exception) -> Response:
    if not isinstance(exc, RouterError):
        raise TypeError(f"not a router error: {exc!r}")
    status, headers, body = answer_of(exc)
    response = Response(body, status)
    response.raw_headers = headers
    return response


async def _http_error(_request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    headers = dict(exc.headers or {}) if isinstance(exc, HTTPException) else {}
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "http_error")
    detail = exc.detail if isinstance(exc, HTTPException) else "error"
    return Response(error_body(status, code, f"{detail}."), status, headers, "application/json")


async def _unexpected(_request: Request, _exc: Exception) -> Response:
    body = error_body(500, "internal_error", "The router failed; the operator finds the cause in its log.")
    return Response(body, 500, media_type="application/json")
