"""Load shedding on a real server: who is refused, how, and that the others are served."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from llm_router.admission.key_file import create
from llm_router.admission.load import Criticality
from tests.router.routers import Running, providers, running_router
from tests.router.standins import Standins, running_standins


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


def test_what_is_above_the_cap_is_refused_at_once_by_criticality_and_the_rest_is_served(
    standins: Standins, tmp_path: Path
) -> None:
    standins.clear()
    file = tmp_path / "keys.yaml"
    levels: tuple[Criticality, ...] = ("sheddable", "default", "critical")
    keys: dict[str, str] = {level: create(file, level, criticality=level) for level in levels}
    keys["another"] = create(file, "another", criticality="critical")
    config = {
        "server": {"maxRequests": 10},
        "access": {"apiKeysFile": str(file)},
        "externalProviders": providers(standins, "openai"),
    }
    standins.openai.fault("silence")
    with running_router(config) as router, ThreadPoolExecutor(10) as threads:

        def ask(level: str) -> httpx.Response:
            return router.chat(headers={"Authorization": f"Bearer {keys[level]}"})

        def under_way(count: int, level: str = "critical") -> list[Future[httpx.Response]]:
            already = router.app.generation().load.under_way
            asked = [threads.submit(ask, level) for _ in range(count)]
            until_under_way(router, already + count)
            return asked

        served = under_way(8)
        shed = ask("sheddable")  # the ninth of ten
        assert not any(asked.done() for asked in served), "a refusal waits for nobody"
        assert (shed.status_code, shed.json()["error"]["code"]) == (503, "overloaded")
        assert shed.headers["retry-after"] == "1"
        served += under_way(1)
        assert ask("default").status_code == 503  # the tenth of ten
        assert ask("critical").status_code == 503  # has its part
        served += under_way(1, "another")
        assert ask("another").status_code == 503  # the eleventh
        standins.openai.go_on()
        assert {future.result().status_code for future in served} == {200}
        assert ask("sheddable").status_code == 200
        metrics = router.admin.get("/metrics").text
        assert 'llm_router_shed_requests_total{cause="requests",criticality="sheddable"} 1.0' in metrics


def test_one_key_cannot_take_all_places(standins: Standins, tmp_path: Path) -> None:
    standins.clear()
    file = tmp_path / "keys.yaml"
    keys = {name: create(file, name, criticality="critical") for name in ("greedy", "modest")}
    config = {
        "server": {"maxRequests": 20},
        "access": {"apiKeysFile": str(file)},
        "externalProviders": providers(standins, "openai"),
    }
    standins.openai.fault("silence")
    with running_router(config) as router, ThreadPoolExecutor(30) as threads:

        def ask(name: str) -> httpx.Response:
            return router.chat(headers={"Authorization": f"Bearer {keys[name]}"})

        greedy = [threads.submit(ask, "greedy") for _ in range(25)]
        until_under_way(router, 18)
        until(lambda: sum(asked.done() for asked in greedy) == 7)
        refused = ask("greedy")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "keys with fewer requests" in refused.json()["error"]["message"]
        modest = [threads.submit(ask, "modest") for _ in range(2)]
        until_under_way(router, 20)
        standins.openai.go_on()
        assert [asked.result().status_code for asked in modest] == [200, 200]
        assert sorted(asked.result().status_code for asked in greedy) == [200] * 18 + [503] * 7
        assert ask("greedy").status_code == 200
        metrics = router.admin.get("/metrics").text
        assert 'llm_router_shed_requests_total{cause="key",criticality="critical"} 8.0' in metrics


def until_under_way(router: Running, count: int) -> None:
    until(lambda: router.app.generation().load.under_way >= count)


def until(happened: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < ends_at
        time.sleep(0.005)


def test_a_reload_forgets_nobody_who_is_under_way(standins: Standins) -> None:
    standins.clear()
    standins.openai.fault("silence", times=1)
    with running_router({"externalProviders": providers(standins, "openai")}) as router:
        with ThreadPoolExecutor(1) as threads:
            asked = threads.submit(router.chat)
            until_under_way(router, 1)
            router.config["server"] = {"maxRequests": 1}
            assert router.admin.post("/admin/reload").status_code == 200
            refused = httpx.post(f"{router.url}/v1/chat/completions", json={}, trust_env=False)
            assert refused.status_code == 503
            standins.openai.go_on()
            assert asked.result().status_code == 200
        assert router.chat().status_code == 200
