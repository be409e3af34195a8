"""``GET /health`` for people and load balancers, ``/livez`` and ``/readyz`` for Kubernetes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypedDict

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..config.moments import iso
from ..config.schema import Config
from ..execution.generation import Generation
from ..model import View
from ..routing.strategies.base import ASLEEP


class Health(TypedDict):
    """Counts only, no names: this stands on the public port. ``timestamp`` is ISO 8601 in UTC."""

    status: Literal["healthy", "degraded", "unhealthy"]
    healthy_clusters: int
    total_clusters: int
    healthy_providers: int
    total_providers: int
    timestamp: str


def health_routes(generation: Callable[[], Generation], not_ready: Callable[[], str | None]) -> list[Route]:
    """``not_ready`` is why nobody should be sent here just now."""

    async def health(_request: Request) -> Response:
        return JSONResponse(summary(generation()))

    async def livez(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        why_not = not_ready()
        return PlainTextResponse("ok\n") if why_not is None else PlainTextResponse(f"{why_not}\n", status_code=503)

    return [Route("/health", health), Route("/livez", livez), Route("/readyz", readyz)]


def summary(generation: Generation) -> Health:
    """*Unhealthy* is where nobody can answer, *degraded* where somebody is missing, or where the ledger cannot be
    written."""
    config = generation.loaded.config
    clusters = _healthy(generation, [cluster.name for cluster in config.clusters])
    names = _provider_names(config)
    providers = _healthy(generation, names)
    total = len(config.clusters) + len(names)
    healthy = clusters + providers
    whole = healthy == total and (generation.journal is None or generation.journal.trouble is None)
    status: Literal["healthy", "degraded", "unhealthy"]
    status = "healthy" if whole else "degraded" if healthy else "unhealthy"
    return {
        "status": status,
        "healthy_clusters": clusters,
        "total_clusters": len(config.clusters),
        "healthy_providers": providers,
        "total_providers": len(names),
        "timestamp": iso(generation.unix_time()),
    }


def _healthy(generation: Generation, owners: Sequence[str]) -> int:
    now = generation.clock()
    return sum(any(_can_answer(view, now) for view in generation.board.of(owner)) for owner in owners)


def _can_answer(view: View, now: float) -> bool:
    if view.state in ASLEEP and not view.target.always_on:
        return True  # it may be at zero: that is no fault
    return view.health == "healthy" and view.state == "up" and view.retry_at <= now


def _provider_names(config: Config) -> list[str]:
    return [provider.name for provider in config.external_providers if provider.enabled]
