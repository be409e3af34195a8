"""What the demo's nodes cost just now: a stand-in for OpenCost, whose prices the show moves.

It serves ``node_total_hourly_cost`` in Prometheus' text format on loopback, and the exporters read it as they would
read OpenCost in a cluster: refreshed, judged, kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ..api.serving import Site, listen, serve_sites
from .pools import Pool


class Market:
    """USD per node-hour by pool; at first what the pools' instance types are listed at."""

    def __init__(self, pools: Iterable[Pool]) -> None:
        self._pools = tuple(pools)
        self._usd_per_hour = {pool.name: pool.node_usd_per_hour for pool in self._pools}

    @property
    def usd_per_hour(self) -> Mapping[str, float]:
        return self._usd_per_hour

    @property
    def risen(self) -> frozenset[str]:
        """Pools whose nodes cost more than they are listed at."""
        return frozenset(p.name for p in self._pools if self._usd_per_hour[p.name] > 2 * p.node_usd_per_hour)

    def multiply(self, pools: Iterable[str], factor: float) -> None:
        """The nodes of these cost this many times what they cost."""
        self._usd_per_hour |= {name: self._usd_per_hour[name] * factor for name in pools}

    def app(self) -> Starlette:
        async def metrics(_request: Request) -> Response:
            return PlainTextResponse("".join(map(self._line, self._pools)))

        return Starlette(routes=[Route("/metrics", metrics)])

    def _line(self, pool: Pool) -> str:
        labels = f'node="{pool.name}-1",instance_type="{pool.instance}",region="{pool.region}"'
        return f"node_total_hourly_cost{{{labels}}} {self._usd_per_hour[pool.name]!r}\n"


async def serve_market(market: Market, port: int) -> None:
    """Serve it until cancelled."""
    site = Site(app=market.app(), socket=listen("127.0.0.1", port))
    await serve_sites([site], drain_s=1.0, stop=asyncio.Event())
