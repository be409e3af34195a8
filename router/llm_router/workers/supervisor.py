"""The process that was started as the router where that has several workers: sockets, signals, admin listener."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Mapping, Sequence

from ..api.admin_door import guarded_admin
from ..api.metrics import metrics_app
from ..api.serving import Site, Stopping, listen, serve_sites, stopped_by_signals
from ..config.hosts import is_loopback
from ..config.load import parse
from ..config.yaml_nodes import file_content
from ..router_process import Reloads, admin_site, metrics_site
from ..telemetry.metrics import admin_logins
from .admin import admin_routes
from .crew import Crew

ADMIN_DRAIN_S = 5.0


async def serve_workers(path: str, env: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Serve with as many workers as the file says until SIGTERM; SIGHUP reloads them. ``say`` tells the operator what
    happens. Raises ``ConfigError`` where nobody can listen, ``WorkersFailed`` where no worker serves."""
    text = file_content(path)
    loaded = parse(text, path, env)
    server, admin = loaded.config.server, loaded.config.admin
    with (
        listen(server.host, server.port, path="server.port") as public,
        listen(admin.host, admin.port, path="admin.port") as own,
        stopped_by_signals() as stopping,
    ):
        crew = Crew(path, text, loaded, env, public)
        reloads = Reloads(crew, say)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloads.start)

        def all_serve() -> None:
            pids = " ".join(str(hand.pid) for hand in crew.serving)
            where = f"{server.host}:{server.port}, admin on {admin.host}:{admin.port}"
            say(f"llm-router serves on {where}, with {server.workers} workers ({pids})")

        door = guarded_admin(
            admin_routes(crew, time.time),
            lambda: crew.admin,
            admin_logins(crew.metrics.registry),
            on_loopback=is_loopback(admin.host),
        )
        front = [
            admin_site(door, admin, own),
            *metrics_site(metrics_app(crew.scrape, admin.metrics_token), admin),
        ]
        await _until_it_ends(crew, front, stopping, all_serve, reloads)


async def _until_it_ends(
    crew: Crew, front: Sequence[Site], stopping: Stopping, all_serve: Callable[[], None], reloads: Reloads
) -> None:
    admin_ends = asyncio.Event()
    answering = asyncio.create_task(serve_sites(front, drain_s=ADMIN_DRAIN_S, stop=admin_ends))
    keeping = asyncio.create_task(crew.keep(all_serve))
    others = [asyncio.create_task(reloads.watch()), asyncio.create_task(stopping.begun.wait())]
    try:
        await asyncio.wait([answering, keeping, others[-1]], return_when=asyncio.FIRST_COMPLETED)
        if not keeping.done():
            await crew.end(announced=stopping.announced, hurried=stopping.hurried)
    finally:
        admin_ends.set()
        for task in (keeping, *others):
            task.cancel()
        ends = await asyncio.gather(keeping, answering, *others, return_exceptions=True)
        for end in ends[:2]:
            if isinstance(end, Exception):
                raise end
