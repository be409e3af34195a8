"""The admin listener: what it shows, what it never shows, and reloading a whole generation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from llm_router.demo.standins.delivery import Pace
from tests.router.routers import Running, providers, running_router
from tests.router.standins import Standins, running_standins
from tests.router.test_app import eventually


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


@pytest.fixture
def router(standins: Standins) -> Iterator[Running]:
    standins.clear()
    with running_router({"externalProviders": providers(standins)}) as running:
        yield running


def test_providers_are_listed_with_health_and_signals(router: Running) -> None:
    listed = router.admin.get("/ai/providers").json()
    assert [provider["name"] for provider in listed] == ["openai", "anthropic", "gemini"]
    assert {"status", "latency_ms", "last_check", "error", "targets"} <= set(listed[0])
    assert listed[0]["targets"][0]["model"] == "gpt-5.4-mini"
    health = router.admin.get("/ai/providers/openai/health").json()
    assert set(health) == {"name", "status", "latency_ms", "last_check", "error"}
    assert router.admin.get("/ai/providers/nobody/health").json()["error"]["code"] == "not_found"
    assert router.admin.get("/ai/clusters").json() == []


def test_stats_decisions_requests_and_savings_tell_one_story(router: Running) -> None:
    answer = router.chat("a canary in the prompt")
    request_id = answer.headers["x-llm-router-request-id"]
    target = answer.headers["x-llm-router-target"]
    stats = router.admin.get(f"/ai/providers/{target}/stats").json()
    assert stats["targets"][target]["requests"] == 1
    decision = router.admin.get("/admin/decisions").json()[0]
    assert (decision["request_id"], decision["targets"][0]["target"]) == (request_id, target)
    record = router.admin.get("/admin/requests").json()[0]
    assert record["request_id"] == request_id
    assert record["cost_usd"] == pytest.approx(float(answer.headers["x-llm-router-cost-usd"]), abs=1e-9)
    savings = router.admin.get("/admin/savings").json()
    assert savings["cost_usd"] == record["cost_usd"]
    assert "canary" not in router.admin.get("/admin/decisions").text + router.admin.get("/admin/requests").text


def test_of_decisions_and_requests_as_many_are_shown_as_are_asked_for(router: Running) -> None:
    ids = [router.chat().headers["x-llm-router-request-id"] for _ in range(3)]
    for path in ("/admin/decisions", "/admin/requests"):
        shown = router.admin.get(f"{path}?limit=2").json()
        assert [each["request_id"] for each in shown] == [ids[2], ids[1]]
        assert len(router.admin.get(path).json()) == 3
        for limit in ("0", "201", "-1", "2.5", "٣", "", "1e9"):
            refused = router.admin.get(path, params={"limit": limit})
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, "limit"), limit
        refused = router.admin.get(f"{path}?limits=2")
        assert refused.json()["error"]["message"] == "There is no parameter 'limits'; known: limit."


def test_the_configuration_is_shown_without_secrets(router: Running, standins: Standins) -> None:
    shown = router.admin.get("/admin/config").text
    assert standins.openai.api_key not in shown
    assert '"routingStrategy":"hybrid"' in shown.replace(" ", "")


def test_reload_swaps_the_whole_configuration(router: Running) -> None:
    router.config["externalProviders"] = router.config["externalProviders"][2:]
    assert router.admin.post("/admin/reload").json() == {"reloaded": True, "problems": []}
    assert router.chat().headers["x-llm-router-target"] == "gemini"
    assert router.client.get("/health").json()["total_providers"] == 1


def test_of_what_a_reload_takes_away_no_metric_shows_health_or_price_any_more(router: Running) -> None:
    def shown() -> str:
        return router.admin.get("/metrics").text

    eventually(lambda: 'llm_router_provider_health{provider="gemini"' in shown())

    (openai, *_) = router.config["externalProviders"]
    router.config["externalProviders"] = [openai | {"models": ["gpt-5.4-mini"]}]
    router.config["clusters"] = [
        {
            "name": "local",
            "endpoint": "http://127.0.0.1:9",
            "authType": "none",
            "costPerHour": 0.36,
            "capacity": {"slots": 1, "decodeTokensPerSecond": 10},
            "models": [{"name": "tiny"}, {"name": "small"}],
        }
    ]
    assert router.admin.post("/admin/reload").status_code == 200
    assert 'model="gemini-3.5-flash-lite"' not in shown()
    assert 'llm_router_provider_health{provider="gemini"' not in shown()
    assert 'model="gpt-5.4-mini"' in shown()
    eventually(lambda: 'cluster="local",model="small"' in shown())
    router.config["clusters"][0]["models"].pop()
    assert router.admin.post("/admin/reload").status_code == 200
    eventually(lambda: 'cluster="local",model="tiny"' in shown())
    assert 'model="small"' not in shown()


def test_a_refused_configuration_changes_nothing_and_says_why(router: Running) -> None:
    router.config["router"] = {"routingStrategie": "hybrid"}
    answer = router.admin.post("/admin/reload")
    assert answer.status_code == 422
    problem = answer.json()["problems"][0]
    assert "routingStrategie" in problem
    assert "routingStrategy" in problem
    assert router.chat().status_code == 200
    metrics = router.admin.get("/metrics").text
    assert "llm_router_config_last_reload_success 0.0" in metrics
    del router.config["router"]
    assert router.admin.post("/admin/reload").status_code == 200
    assert "llm_router_config_last_reload_success 1.0" in router.admin.get("/metrics").text


def test_reload_takes_a_post(router: Running) -> None:
    assert router.admin.get("/admin/reload").status_code == 405


def test_a_stream_under_way_survives_a_reload() -> None:
    with running_standins(Pace(tokens_per_second=60)) as standins:
        with running_router({"externalProviders": providers(standins)}) as router:
            texts: list[str] = []

            def stream() -> None:
                texts.append(router.chat(stream=True, max_tokens=40).text)

            caller = threading.Thread(target=stream)
            caller.start()
            while not standins.anthropic.requests():
                pass
            router.config["externalProviders"] = router.config["externalProviders"][2:]
            assert router.admin.post("/admin/reload").status_code == 200
            assert router.chat().headers["x-llm-router-target"] == "gemini"
            caller.join()
            assert texts[0].rstrip().endswith("data: [DONE]")


def test_a_cluster_with_a_placeholder_for_a_secret_loads_and_is_never_used(standins: Standins) -> None:
    cluster = {"name": "aws", "endpoint": standins.openai.url, "sharedSecret": "your-shared-secret", "costPerHour": 0.1}
    with running_router({"clusters": [cluster], "externalProviders": providers(standins)}) as router:
        answer = router.chat()
        assert answer.headers["x-llm-router-reason"] == "fallback_external"
        health = router.admin.get("/ai/clusters/aws/health").json()
        assert health["status"] == "unhealthy"
        assert "openssl rand -base64 32" in health["error"]
        assert "your-shared-secret" not in str(standins.openai.requests())


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("server", {"host": "127.0.0.2"}),
        ("server", {"port": 1}),
        ("admin", {"port": 1}),
        ("ledger", {"url": "sqlite:///x"}),
    ],
)
def test_a_reload_that_would_need_a_restart_is_refused(
    router: Running, section: str, change: dict[str, object]
) -> None:
    router.config[section] = change
    answer = router.admin.post("/admin/reload")
    assert answer.status_code == 422
    assert "restart" in answer.text
    assert router.chat().status_code == 200


def test_an_open_breaker_and_decisions_outlive_a_reload(router: Running, standins: Standins) -> None:
    for _ in range(5):
        standins.anthropic.fault("malformed", after_events=1, times=1)
        router.chat()
    before = router.app.generation().board.view("anthropic")
    assert before.retry_reason == "circuit_open"
    assert router.admin.post("/admin/reload").status_code == 200
    after = router.app.generation().board.view("anthropic")
    assert (after.retry_at, after.retry_reason) == (before.retry_at, "circuit_open")
    assert len(router.admin.get("/admin/decisions").json()) == 5


def test_reloads_at_the_same_time_leave_one_set_of_polls(router: Running) -> None:
    def reload() -> None:
        assert router.admin.post("/admin/reload").status_code == 200

    threads = [threading.Thread(target=reload) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def polls() -> int:
        return sum("poll_forever" in repr(task) for task in asyncio.all_tasks())

    assert router.run(polls()) == len(router.app.generation().watches) + 3
