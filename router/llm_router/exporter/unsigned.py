"""What is told without a signature: on loopback everything, elsewhere the metrics."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .metrics import Figures, PoolMetrics

STATUS_PATH = "/cluster/status"
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


def create_app(figures: Callable[[], Figures], *, metrics_only: bool = False) -> Starlette:
    """The application over a pool's current figures."""
    registry = CollectorRegistry()
    registry.register(PoolMetrics(figures))

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), headers={"content-type": TEXT_FORMAT})

    async def cluster_status(_request: Request) -> Response:
        now = figures().status
        if now is None:
            return Response(b"not measured yet\n", 503, media_type="text/plain")
        return Response(msgspec.json.encode(now), media_type="application/json")

    async def livez(_request: Request) -> Response:
        return Response(b'{"status":"alive"}', media_type="application/json")

    routes = [Route("/metrics", metrics), Route("/livez", livez)]
    return Starlette(routes=routes if metrics_only else [*routes, Route(STATUS_PATH, cluster_status)])
