"""The demo's own switch, on loopback: stop a cluster, start it again, see what the router makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..api.serving import Site, listen, serve_sites
from .world import World


def control_app(world: World) -> Starlette:
    async def listed(_request: Request) -> Response:
        return JSONResponse({name: {"running": cluster.engine.running} for name, cluster in world.clusters.items()})

    async def stop(request: Request) -> Response:
        return await change(request, world.stop_cluster)

    async def start(request: Request) -> Response:
        return await change(request, world.start_cluster)

    async def change(request: Request, act: Callable[[str], Awaitable[None]]) -> Response:
        name = request.path_params["name"]
        if name not in world.clusters:
            return JSONResponse({"error": f"no cluster is called {name!r}", "known": [*world.clusters]}, 404)
        await act(name)
        return JSONResponse({"cluster": name, "running": world.clusters[name].engine.running})

    return Starlette(
        routes=[
            Route("/clusters", listed),
            Route("/clusters/{name}/stop", stop, methods=["POST"]),
            Route("/clusters/{name}/start", start, methods=["POST"]),
        ]
    )


async def serve_control(world: World, port: int) -> None:
    """Serve the switch until cancelled."""
    site = Site(app=control_app(world), socket=listen("127.0.0.1", port, path="--control-port"))
    await serve_sites([site], drain_s=1.0, stop=asyncio.Event())
