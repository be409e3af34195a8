"""A running router follows its discovery: found clusters answer, those that leave get nothing more."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from llm_router.errors import ConfigError
from tests.router.discovery.consul_standin import ConsulStandin, Registered, running
from tests.router.edge import run
from tests.router.llama import Llama
from tests.router.routers import Running, running_router


class Registry:
    """A Consul stand-in in a thread of its own, whose catalogue a test sets from outside."""

    def __init__(self, standin: ConsulStandin, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.standin, self.url, self._loop = standin, url, loop

    def set(self, *instances: Registered) -> None:
        asyncio.run_coroutine_threadsafe(self.standin.set(*instances), self._loop).result(30)


@pytest.fixture
def registry() -> Iterator[Registry]:
    with served_registry() as served:
        yield served


@contextmanager
def served_registry() -> Iterator[Registry]:
    started: list[Registry] = []
    ready = threading.Event()
    ends: list[Callable[[], object]] = []

    async def main() -> None:
        standin, stop, loop = ConsulStandin(), asyncio.Event(), asyncio.get_running_loop()
        ends.append(lambda: loop.call_soon_threadsafe(stop.set))
        async with running(standin) as url:
            started.append(Registry(standin, url, loop))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: run(main()))
    thread.start()
    assert ready.wait(30)
    try:
        yield started[0]
    finally:
        ends[0]()
        thread.join(30)


def config(registry: Registry, llama: Llama, **more: Any) -> dict[str, Any]:
    template = {"authType": "bearer", "apiKey": llama.api_key, "costPerHour": 0.1}
    discovery = {"method": "consul", "refreshInterval": "500ms", "scheme": "http", "template": template}
    return {"discovery": discovery | {"consul": {"service": "llm", "address": registry.url}}} | more


def pool(llama: Llama, name: str = "found", **more: Any) -> Registered:
    address = urlsplit(llama.url)
    meta = {"llm-router-name": name, "llm-router-region": "eu-west-1"}
    assert address.port
    return Registered(name, address.port, address=str(address.hostname), meta=meta, **more)


def eventually(condition: Callable[[], bool], *, deadline_s: float = 30.0) -> None:
    ends_at = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.02)


def metric(router: Running, name: str, **labels: str) -> float | None:
    value: float | None = router.app.generation().metrics.registry.get_sample_value(name, labels)
    return value


def known(router: Running) -> list[str]:
    return [cluster.name for cluster in router.app.generation().loaded.config.clusters]


def test_a_found_cluster_answers_and_one_that_left_gets_nothing_more(registry: Registry, llama: Llama) -> None:
    with running_router(config(registry, llama)) as router:
        assert not router.chat().is_success
        registry.set(pool(llama), pool(llama, "other"))
        eventually(lambda: known(router) == ["found", "other"])
        answer = router.chat(headers={"x-llm-target": "found"})
        assert (answer.status_code, answer.headers["x-llm-router-target"]) == (200, "found")
        eventually(lambda: router.client.get("/health").json()["healthy_clusters"] == 2)
        assert metric(router, "llm_router_discovery_clusters", method="consul") == 2
        labels = {"cluster": "found", "provider": "", "region": "eu-west-1"}
        assert metric(router, "llm_router_cluster_health", **labels) == 1
        registry.set(pool(llama, "other"))
        eventually(lambda: known(router) == ["other"])
        assert router.chat().headers["x-llm-router-target"] == "other"
        assert router.chat(headers={"x-llm-target": "found"}).status_code == 400
        assert metric(router, "llm_router_cluster_health", **labels) is None
        assert metric(router, "llm_router_requests_total", target="found", status="200") == 1
        assert len(router.admin.get("/admin/decisions").json()) >= 2


def test_signals_about_a_cluster_survive_the_coming_and_going_of_others(registry: Registry, llama: Llama) -> None:
    registry.set(pool(llama))
    with running_router(config(registry, llama)) as router:
        eventually(lambda: known(router) == ["found"])
        assert router.chat().status_code == 200
        before = router.app.generation()
        measured = before.board.view("found").first_token_ms
        assert measured
        in_flight = before.standings["found"].take_slot()
        registry.set(pool(llama), pool(llama, "other"))
        eventually(lambda: known(router) == ["found", "other"])
        view = router.app.generation().board.view
        assert view("found").first_token_ms == measured
        assert view("found").pending == 1
        in_flight.release()
        assert view("found").pending == 0
        assert router.app.generation().standings["found"] is before.standings["found"]


def test_a_draining_cluster_is_known_and_passed_over(registry: Registry, llama: Llama) -> None:
    settings = config(registry, llama)
    settings["discovery"]["consul"]["passingOnly"] = False
    registry.set(pool(llama, checks=[("_service_maintenance:found", "critical")]))
    with running_router(settings) as router:
        eventually(lambda: known(router) == ["found"])
        refused = router.chat()
        assert refused.status_code == 503
        assert router.app.generation().board.view("found").state == "draining"
        registry.set(pool(llama))
        eventually(lambda: router.chat().status_code == 200)


def test_until_the_registry_has_answered_nobody_is_told_that_a_model_does_not_exist(
    registry: Registry, llama: Llama
) -> None:
    registry.standin.leader = False
    with running_router(config(registry, llama)) as router:
        for headers in ({}, {"x-llm-target": "found"}):
            answer = router.chat(headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_healthy_target")
            assert answer.headers["retry-after"] == "1"
        ready = router.client.get("/readyz")
        assert (ready.status_code, ready.text) == (503, "looking for clusters\n")
        registry.standin.leader = True
        eventually(lambda: router.client.get("/readyz").status_code == 200)
        assert router.chat().status_code == 404
        assert router.chat(headers={"x-llm-target": "found"}).status_code == 400


def test_a_registry_that_is_down_does_not_hold_up_other_targets_for_ever(registry: Registry, llama: Llama) -> None:
    registry.standin.leader = False
    local = {"name": "local", "endpoint": llama.url, "authType": "bearer", "apiKey": llama.api_key}
    with running_router(config(registry, llama, clusters=[local])) as router:
        eventually(lambda: router.client.get("/readyz").status_code == 200)
        assert metric(router, "llm_router_discovery_up", method="consul") == 0
        assert router.chat().status_code == 200


def test_an_outage_of_the_registry_is_none_of_the_router(registry: Registry, llama: Llama) -> None:
    registry.set(pool(llama))
    with running_router(config(registry, llama)) as router:
        eventually(lambda: metric(router, "llm_router_discovery_up", method="consul") == 1 and bool(known(router)))
        registry.standin.leader = False
        eventually(lambda: metric(router, "llm_router_discovery_up", method="consul") == 0)
        assert router.chat().status_code == 200
        assert metric(router, "llm_router_discovery_clusters", method="consul") == 1


def test_a_reload_keeps_what_was_found_and_gives_it_the_new_template(registry: Registry, llama: Llama) -> None:
    registry.set(pool(llama))
    with running_router(config(registry, llama)) as router:
        eventually(lambda: known(router) == ["found"])
        registry.standin.leader = False
        router.config["discovery"]["template"]["costPerHour"] = 0.2
        assert router.admin.post("/admin/reload").json() == {"reloaded": True, "problems": []}
        (cluster,) = router.app.generation().loaded.config.clusters
        assert (cluster.name, cluster.cost_per_hour) == ("found", 0.2)
        assert router.chat().status_code == 200


def test_a_reload_that_is_refused_leaves_discovery_running(registry: Registry, llama: Llama) -> None:
    def refuse() -> Any:
        raise ConfigError([])

    with running_router(config(registry, llama), load=refuse) as router:
        assert router.admin.post("/admin/reload").status_code == 422
        registry.set(pool(llama))
        eventually(lambda: known(router) == ["found"])


def test_static_is_a_discovery_that_has_found_all(llama: Llama) -> None:
    cluster = {"name": "local", "endpoint": llama.url, "authType": "bearer", "apiKey": llama.api_key}
    with running_router({"clusters": [cluster]}) as router:
        eventually(lambda: metric(router, "llm_router_discovery_up", method="static") == 1)
        assert metric(router, "llm_router_discovery_clusters", method="static") == 1
        assert router.chat().status_code == 200
