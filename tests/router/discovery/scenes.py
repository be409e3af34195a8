"""What the tests of discovery share: configurations, sources that follow a script, sets as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from llm_router.config.scalars import Seconds, Secret
from llm_router.config.schema import Cluster, ClusterTemplate, Config, Discovery
from llm_router.discovery.base import Answer, ClusterSet, Instance
from llm_router.discovery.base import Discovery as Running
from llm_router.discovery.methods import Means
from llm_router.telemetry.metrics import Metrics

SECRET = Secret("c2l4dGVlbiBieXRlcyBhcmUgbm90IGVub3VnaCBoZXJlISE=")
DEADLINE_S = 60.0


def config(method: Any = "etcd", *, clusters: tuple[Cluster, ...] = (), template: Any = None, **given: Any) -> Config:
    """``template`` and what else is ``given`` are keys of ``discovery``; clusters found are signed for and private."""
    template = template or ClusterTemplate(shared_secret=SECRET, private=True)
    more: dict[str, Any] = {"refresh_interval": Seconds(30), "scheme": "http", **given}
    return Config(clusters=clusters, discovery=Discovery(method=method, template=template, **more))


def instance(name: str, endpoint: str = "http://10.0.0.1:8443", *, draining: bool = False, **data: Any) -> Instance:
    return Instance(f"test {name}", {"name": name, "endpoint": endpoint, **data}, draining)


def names(found: ClusterSet) -> list[str]:
    return [cluster.name for cluster in found.clusters]


class Clock:
    """Monotonic seconds that pass when somebody sleeps, or when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class Scripted:
    """A source that does what it is told: answers, raises what is an exception, then waits for more."""

    method = "etcd"

    def __init__(self, *script: Answer | Exception) -> None:
        self.script: asyncio.Queue[Answer | Exception] = asyncio.Queue()
        self.add(*script)
        self.starts = 0
        self.closed = False

    def add(self, *script: Answer | Exception) -> None:
        for step in script:
            self.script.put_nowait(step)

    async def answers(self) -> AsyncGenerator[Answer, None]:
        self.starts += 1
        while True:
            step = await self.script.get()
            if isinstance(step, Exception):
                raise step
            yield step

    async def aclose(self) -> None:
        self.closed = True


def listed(*instances: Instance) -> Answer:
    return Answer(instances, listed=True)


def changed(*instances: Instance) -> Answer:
    return Answer(instances, listed=False)


def means() -> Means:
    """Real time and fresh metrics."""
    loop = asyncio.get_running_loop()
    return Means(metrics=Metrics(CollectorRegistry()), clock=loop.time, sleep=asyncio.sleep, believed_after_s=0.0)


def gauges(metrics: Metrics, method: str) -> tuple[float | None, float | None]:
    """``llm_router_discovery_up`` and ``llm_router_discovery_clusters``."""
    label = {"method": method}
    value = metrics.registry.get_sample_value
    return value("llm_router_discovery_up", label), value("llm_router_discovery_clusters", label)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


async def until_up(metrics: Metrics, method: str, up: float) -> None:
    await until(lambda: gauges(metrics, method)[0] == up)


class Sets:
    """The sets of a running discovery."""

    def __init__(self, sets: AsyncIterator[ClusterSet]) -> None:
        self._sets = sets

    async def next(self) -> ClusterSet:
        return await asyncio.wait_for(anext(self._sets), DEADLINE_S)

    async def until(self, wanted: Iterable[str]) -> ClusterSet:
        """The first set with exactly these clusters."""
        wanted = sorted(wanted)
        async with asyncio.timeout(DEADLINE_S):
            while sorted(names(found := await anext(self._sets))) != wanted:
                pass
        return found


@asynccontextmanager
async def following(discovery: Running) -> AsyncIterator[Sets]:
    sets = discovery.sets()
    try:
        yield Sets(sets)
    finally:
        await sets.aclose()
        await discovery.aclose()
