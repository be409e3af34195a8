"""``GET /metrics`` in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ..execution.generation import Generation
from .application import application
from .errors import guard_body
from .guard import Guard
from .limits import post_budgets
from .scrapes import PATH, judge_scrape

Scrape = Callable[[], Awaitable[bytes]]
"""Every metric as text, as it stands now."""


def metrics_route(scrape: Scrape) -> Route:
    async def metrics(_request: Request) -> Response:
        return PlainTextResponse(await scrape(), media_type=CONTENT_TYPE_LATEST)

    return Route(PATH, metrics)


def metrics_app(scrape: Scrape, token: str | None) -> ASGIApp:
    """A listener's app for ``/metrics`` and nothing else, with a token for those who send it."""
    return Guard(application([metrics_route(scrape)]), render=guard_body, judge=judge_scrape(token))


def own_metrics(generation: Callable[[], Generation]) -> Scrape:
    """The metrics of this process alone."""

    async def scrape() -> bytes:
        current = generation()
        await bring_up_to_date(current)
        return generate_latest(current.metrics.registry)

    return scrape


async def bring_up_to_date(current: Generation) -> None:
    """Sets the gauges that are looked at only when somebody asks."""
    for name, standing in current.standings.items():
        current.metrics.target(name, standing.breaker_state(), standing.pending)
    await post_budgets(current)
