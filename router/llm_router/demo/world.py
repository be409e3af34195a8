"""Everything that the demo runs: per pool llama.cpp, its gate and exporter; the providers' stand-ins; the router."""

from __future__ import annotations

import asyncio
import base64
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from .children import Child, ChildFailed
from .contract import Listeners, operators_part, write_config
from .engine import ENGINES
from .market import Market, serve_market
from .models import Models
from .pools import CONTEXT_TOKENS, POOLS, Pool
from .ports import free_port

READY_S = 60.0
PROVIDERS = ("openai", "anthropic", "gemini")


@dataclass(frozen=True, slots=True)
class Cluster:
    """One pool's processes, with the ports that they talk on."""

    pool: Pool
    engine: Child
    gate: Child
    exporter: Child
    gate_port: int
    engine_url: str


class World:
    """The demo's processes. ``say`` gets a line of progress. Use ``start``, then ``end`` whatever happened between."""

    def __init__(
        self, *, folder: Path, models: Models, engine: str, listeners: Listeners, say: Callable[[str], None]
    ) -> None:
        self._folder, self._models, self._engine = folder, models, engine
        self.counts = ENGINES[engine].counts
        self._listeners, self._say = listeners, say
        self._secrets = {pool.secret_variable: _secret() for pool in POOLS}
        self._engine_key = secrets.token_urlsafe(24)
        self._provider_keys = {f"{name.upper()}_API_KEY": f"sk-standin-{name}" for name in PROVIDERS}
        self.provider_urls = {name: f"http://127.0.0.1:{free_port()}" for name in PROVIDERS}
        self._market_port = free_port()
        self.clusters = {pool.name: self._cluster(pool) for pool in POOLS}
        self.market = Market(POOLS)
        self._standins = self._child("stand-ins", "-m", "llm_router.demo.standins", *self._standin_options())
        self._router = self._child("router", "-m", "llm_router", "serve", "--config", str(folder / "router.yaml"))
        self._client = httpx.AsyncClient(timeout=2.0, trust_env=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listeners.port}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self._listeners.admin_port}"

    async def start(self) -> None:
        """Start everything, and wait until the router finds all of it healthy. Raises ``ChildFailed``."""
        write_config(
            self._folder,
            [(cluster.pool, f"http://127.0.0.1:{cluster.gate_port}") for cluster in self.clusters.values()],
            operators_part(self._listeners, self.provider_urls),
        )
        self._selling = asyncio.create_task(serve_market(self.market, self._market_port))
        # Gates take no request in their first seconds (nothing signed before may be replayed), so they start first.
        self._say(f"starting {len(self.clusters)} gates")
        for cluster in self.clusters.values():
            await cluster.gate.start()
        await asyncio.gather(*(self._reachable(c.gate, f"http://127.0.0.1:{c.gate_port}/livez") for c in self._all()))
        self._say(f"starting {len(self.clusters)} llama.cpp servers with their exporters, the stand-ins and the router")
        for cluster in self.clusters.values():
            await cluster.engine.start()
            await cluster.exporter.start()
        await self._standins.start()
        await self._router.start()
        await asyncio.gather(*(self._reachable(c.engine, c.engine_url + "/health") for c in self._all()))
        await self._reachable(self._router, self.url + "/livez")
        self._say("waiting until the router finds every cluster and provider healthy")
        try:
            await self._router.until(self.all_healthy, READY_S)
        except ChildFailed as failed:
            raise ChildFailed(f"{failed}\nnot healthy: {await self._unhealthy() or 'nobody'}") from failed

    async def end(self) -> None:
        await self._client.aclose()
        self._selling.cancel()
        others = [child for c in self._all() for child in (c.gate, c.engine, c.exporter)]
        # Only the router has anything to bring to an end.
        await asyncio.gather(self._router.end(), *(child.kill() for child in (self._standins, *others)))

    async def all_healthy(self) -> bool:
        """Raises ``ChildFailed`` for a process that has ended: there is nothing to wait for."""
        for cluster in self._all():
            cluster.gate.check()
            cluster.exporter.check()
        self._standins.check()
        health = await self.health()
        return health is not None and health["status"] == "healthy"

    async def _unhealthy(self) -> str:
        found = []
        for kind in ("clusters", "providers"):
            try:
                listed = (await self._client.get(f"{self.admin_url}/ai/{kind}")).json()
            except httpx.TransportError:
                continue
            found += [f"{owner['name']} ({owner['error']})" for owner in listed if owner["status"] != "healthy"]
        return ", ".join(found)

    async def health(self) -> Mapping[str, object] | None:
        """The router's ``/health``, ``None`` while it does not answer."""
        try:
            answer = await self._client.get(self.url + "/health")
        except httpx.TransportError:
            return None
        body: Mapping[str, object] = answer.json()
        return body

    def freeze_cluster(self, name: str) -> None:
        """Have the cluster's llama.cpp take requests and answer none."""
        self.clusters[name].engine.freeze()

    async def stop_cluster(self, name: str) -> None:
        """Kill the cluster's llama.cpp, as a lost node would go."""
        await self.clusters[name].engine.kill()

    async def start_cluster(self, name: str) -> None:
        """Bring a stopped cluster's llama.cpp back, and wait until it serves."""
        cluster = self.clusters[name]
        if not cluster.engine.running:
            await cluster.engine.start()
        await self._reachable(cluster.engine, cluster.engine_url + "/health")

    async def fault(self, provider: str, **fault: object) -> None:
        """Tell a stand-in what to do wrong; without a fault, to behave again."""
        control = self.provider_urls[provider] + "/__standin__/fault"
        answer = await (self._client.post(control, json=fault) if fault else self._client.delete(control))
        answer.raise_for_status()

    # ------------------------------------------------------------ processes

    def _all(self) -> list[Cluster]:
        return list(self.clusters.values())

    def _cluster(self, pool: Pool) -> Cluster:
        engine_port, gate_port, exporter_port, metrics_port = (free_port() for _ in range(4))
        engine_url = f"http://127.0.0.1:{engine_port}"
        exporter_url = f"http://127.0.0.1:{exporter_port}"
        gate_config = {
            "listen": f"127.0.0.1:{gate_port}",
            "upstream": engine_url,
            "upstreamApiKey": "${LLAMA_API_KEY}",
            "target": pool.name,
            "authority": f"127.0.0.1:{gate_port}",
            "keys": [{"id": f"{pool.name}.1", "secret": f"${{{pool.secret_variable}}}"}],
            "statusUrl": f"{exporter_url}/cluster/status",
            "metrics": f"127.0.0.1:{metrics_port}",
        }
        exporter_config = {
            "listen": f"127.0.0.1:{exporter_port}",
            "pool": pool.name,
            "upstreams": [{"url": engine_url, "apiKey": "${LLAMA_API_KEY}"}],
            "nodes": 1,
            "price": {
                "cloud": pool.cloud,
                "instanceType": pool.instance,
                "region": pool.region,
                "openCost": {"metricsUrl": f"http://127.0.0.1:{self._market_port}/metrics", "refresh": "200ms"},
            },
            "interval": "2s",
        }
        model = self._models.small if pool.size == "small" else self._models.large
        size = ("--parallel", str(pool.slots), "--ctx-size", str(pool.slots * CONTEXT_TOKENS))
        options = ("--model", str(model), "--port", str(engine_port), "--alias", pool.model, "--engine", self._engine)
        return Cluster(
            pool=pool,
            engine=self._child(f"{pool.name}-llama", "-m", "llm_router.demo.engine", *options, *size),
            gate=self._configured(f"{pool.name}-gate", "gate", gate_config),
            exporter=self._configured(f"{pool.name}-exporter", "exporter", exporter_config),
            gate_port=gate_port,
            engine_url=engine_url,
        )

    def _configured(self, name: str, command: str, config: Mapping[str, object]) -> Child:
        path = self._folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(dict(config), sort_keys=False))
        return self._child(name, "-m", "llm_router", command, "--config", str(path))

    def _child(self, name: str, *arguments: str) -> Child:
        return Child(name, (sys.executable, *arguments), self._env(), self._folder / f"{name}.log")

    def _env(self) -> dict[str, str]:
        return {**self._secrets, **self._provider_keys, "LLAMA_API_KEY": self._engine_key}

    def _standin_options(self) -> list[str]:
        options = []
        for name, url in self.provider_urls.items():
            options += [f"--{name}-port", url.rpartition(":")[2]]
        return options

    async def _reachable(self, child: Child, url: str) -> None:
        async def answers() -> bool:
            try:
                return (await self._client.get(url)).status_code == 200
            except httpx.TransportError:
                return False

        await child.until(answers, READY_S)


def _secret() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
