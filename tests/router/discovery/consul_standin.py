"""A stand-in for Consul: its catalogue's health endpoint over HTTP, blocking queries and ACLs included.

Speaks https://developer.hashicorp.com/consul/api-docs/health#list-service-instances-for-service and
https://developer.hashicorp.com/consul/api-docs/features/blocking, and refuses what Consul refuses.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.router.edge import serving

DEFAULT_WAIT_S, MAX_WAIT_S = 300.0, 600.0
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


@dataclass
class Registered:
    """One instance as an agent registered it. ``checks`` are pairs of id and status."""

    id: str
    port: int
    service: str = "llm"
    node: str = "node-1"
    node_address: str = "10.0.0.1"
    address: str = ""
    meta: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    checks: list[tuple[str, str]] = field(default_factory=lambda: [("serfHealth", "passing")])

    def shown(self) -> dict[str, Any]:
        return {
            "Node": {
                "ID": "40e4a748-2192-161a-0510-9bf59fe950b5",
                "Node": self.node,
                "Address": self.node_address,
                "Datacenter": "dc1",
                "TaggedAddresses": None,
                "Meta": {"consul-network-segment": ""},
                "CreateIndex": 12,
                "ModifyIndex": 13,
            },
            "Service": {
                "ID": self.id,
                "Service": self.service,
                "Tags": self.tags,
                "Address": self.address,
                "Meta": self.meta or None,
                "Port": self.port,
                "Weights": {"Passing": 1, "Warning": 1},
                "EnableTagOverride": False,
                "CreateIndex": 14,
                "ModifyIndex": 14,
            },
            "Checks": [
                {"Node": self.node, "CheckID": id, "Name": id, "Status": status, "Notes": "", "Output": ""}
                for id, status in self.checks
            ],
        }


class ConsulStandin:
    """``tokens`` are those that may read everything; none means that there are no ACLs."""

    def __init__(self, tokens: frozenset[str] = frozenset()) -> None:
        self.instances: list[Registered] = []
        self.tokens = tokens
        self.index = 40
        self.leader = True
        self.asked: list[dict[str, str]] = []
        self._moved = asyncio.Condition()

    async def set(self, *instances: Registered, index: int | None = None) -> None:
        """A new state of the catalogue. ``index`` is for a Consul that was restored and counts from there."""
        async with self._moved:
            self.instances = list(instances)
            self.index = self.index + 1 if index is None else index
            self._moved.notify_all()

    async def service(self, request: Request) -> Response:
        query = dict(request.query_params)
        self.asked.append(query)
        if not self.leader:
            return PlainTextResponse("No cluster leader", 500)
        if query.get("dc", "dc1") != "dc1":
            return PlainTextResponse("No path to datacenter", 500)
        token = request.headers.get("x-consul-token", "")
        if self.tokens and token and token not in self.tokens:
            return PlainTextResponse("ACL not found", 403)
        await self._wait(query)
        filtered = bool(self.tokens) and token not in self.tokens
        wanted = [i for i in self.instances if i.service == request.path_params["name"]]
        if "passing" in query:
            wanted = [i for i in wanted if all(status == "passing" for _, status in i.checks)]
        headers = {"X-Consul-Index": str(self.index), "X-Consul-KnownLeader": "true", "X-Consul-LastContact": "0"}
        if filtered and wanted:
            headers["X-Consul-Results-Filtered-By-ACLs"] = "true"
        return JSONResponse([] if filtered else [i.shown() for i in wanted], headers=headers)

    async def _wait(self, query: dict[str, str]) -> None:
        """Until the index is past the one that the asker knows, or his time is over: who knows a greater one than
        there is, because Consul was restored, waits to the end."""
        known = int(query.get("index", "0"))
        if not known:
            return
        async with self._moved:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait_for(lambda: self.index > known), _seconds(query.get("wait")))


@contextlib.asynccontextmanager
async def running(standin: ConsulStandin) -> AsyncIterator[str]:
    """Its URL."""
    app = Starlette(routes=[Route("/v1/health/service/{name}", standin.service)])
    async with serving(app) as (host, port):
        yield f"http://{host}:{port}"


def _seconds(text: str | None) -> float:
    if text is None:
        return DEFAULT_WAIT_S
    found = re.fullmatch(r"([0-9.]+)(ms|s|m)", text)
    assert found, f"Consul would refuse the wait {text!r}"
    return min(float(found[1]) * _UNITS[found[2]], MAX_WAIT_S)
