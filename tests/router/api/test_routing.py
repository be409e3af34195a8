"""Strategies, rules, keys and the last resort over HTTP, against protocol-true stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm_router.admission.key_file import create
from llm_router.errors import ConfigError
from tests.router.routers import MODELS, Running, providers, running_router
from tests.router.standins import Standins, running_standins

WEIGHTS = {"openai": 3, "anthropic": 2, "gemini": 1}


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


@pytest.fixture(autouse=True)
def well_behaved(standins: Standins) -> None:
    standins.clear()


def config(standins: Standins, **router: Any) -> dict[str, Any]:
    owners = [{**owner, "weight": WEIGHTS[owner["name"]]} for owner in providers(standins)]
    return {"externalProviders": owners, "router": router}


def target(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-llm-router-target"])


def route(router: Running, headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]} | fields
    answer = router.client.post("/v1/route", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def test_weighted_holds_its_shares_and_explaining_takes_nobodys_turn(standins: Standins) -> None:
    with running_router(config(standins, routingStrategy="weighted")) as router:
        chosen = []
        for _ in range(12):
            told = [route(router)["targets"][0]["target"] for _ in range(2)]
            chosen.append(target(router.chat()))
            assert told == [chosen[-1]] * 2
    assert {name: chosen.count(name) for name in WEIGHTS} == {"openai": 6, "anthropic": 4, "gemini": 2}


def test_turns_go_on_where_a_reload_left_them(standins: Standins) -> None:
    with running_router(config(standins, routingStrategy="round_robin")) as router:
        first = [target(router.chat()) for _ in range(2)]
        assert router.admin.post("/admin/reload").status_code == 200
        assert [*first, target(router.chat())] == list(MODELS)


def test_the_last_resort_answers_when_the_others_failed_and_never_before(standins: Standins) -> None:
    failover = {"maxRetries": 1, "fallback": {"target": "openai"}}
    with running_router(
        config(standins, routingStrategy="priority", failover=failover, timeouts={"firstToken": "1500ms"})
    ) as router:
        assert target(router.chat()) == "anthropic"
        standins.anthropic.fault("silence", times=1)
        standins.anthropic.fault("status", status=503)
        answer = router.chat()
        assert (target(answer), answer.headers["x-llm-router-attempts"]) == ("openai", "2")
        assert [entry["target"] for entry in route(router)["targets"]] == ["anthropic", "gemini", "openai"]


def test_the_last_resort_meets_requirements_too(standins: Standins) -> None:
    owners = config(standins)["externalProviders"]
    owners[0]["region"], owners[1]["region"] = "us", "eu-west-1"
    settings = {"externalProviders": owners, "router": {"failover": {"fallback": {"target": "openai"}}}}
    with running_router(settings) as router:
        standins.anthropic.fault("status", status=503)
        seen = len(standins.openai.requests())
        answer = router.chat(headers={"X-LLM-Region": "eu"})
        assert answer.status_code == 503
        assert len(standins.openai.requests()) == seen


def test_rules_read_headers_and_the_proxys_word_and_say_so(standins: Standins) -> None:
    rules = [
        {
            "name": "search",
            "conditions": [{"type": "header", "header": "X-Team", "value": "search"}],
            "actions": [{"type": "route_to_provider", "target": "gemini"}],
        },
        {
            "name": "europe",
            "conditions": [{"type": "client_region", "regions": ["eu"]}],
            "actions": [{"type": "failover", "failoverTargets": ["openai"]}],
        },
    ]
    settings = config(standins, clientRegionHeader="X-Client-Region") | {"rules": rules}
    with running_router(settings) as router:
        answer = router.chat(headers={"X-Team": "search"})
        assert (target(answer), answer.headers["x-llm-router-reason"]) == ("gemini", "rule:search")
        explained = route(router, {"X-Client-Region": "DE"})
        assert (explained["rule"], [entry["target"] for entry in explained["targets"]]) == ("europe", ["openai"])
        assert {entry["reason"] for entry in explained["rejected"]} == {"rule: europe lets others answer"}
        assert route(router)["rule"] is None
        metrics = router.client.get("/metrics").text
    assert 'reason="rule:search"' in metrics
    assert "X-Team" not in metrics


def test_a_key_says_which_strategies_may_be_asked_for(standins: Standins, tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    free, bound = create(file, "free"), create(file, "bound", strategies=["cost"])
    none = create(file, "none", strategies=[])
    settings = config(standins) | {"access": {"apiKeysFile": str(file)}}

    def asked(key: str, strategy: str) -> httpx.Response:
        return router.chat(headers={"Authorization": f"Bearer {key}", "X-LLM-Strategy": strategy})

    with running_router(settings) as router:
        assert asked(free, "priority").status_code == 200
        assert asked(bound, "cost").headers["x-llm-router-reason"] == "cost_cheapest"
        assert (asked(bound, "priority").status_code, asked(none, "cost").status_code) == (403, 403)
        assert asked(bound, "priority").json()["error"]["code"] == "strategy_not_allowed"
        assert asked(bound, "cheapest").json()["error"]["code"] == "unknown_strategy"


def test_the_names_that_are_answered_for_are_listed(standins: Standins) -> None:
    with running_router(config(standins, modelRoutes={"gpt-4": "openai"})) as router:
        listed = [model["id"] for model in router.client.get("/v1/models").json()["data"]]
        assert listed[:3] == ["auto", "fast", "cheap"]
        assert "gpt-4" in listed
        assert target(router.chat(model="gpt-4")) == "openai"
        assert route(router, model="fast")["strategy"] == "latency"
        refused = router.chat(model="gpt-9").json()["error"]
        assert refused["code"] == "model_not_found"
        assert "gpt-4" in refused["message"]


def test_latency_is_measured_to_the_first_token_and_to_the_end(standins: Standins) -> None:
    with running_router(config(standins)) as router:
        answered = target(router.chat(stream=True))
        owners = {owner["name"]: owner for owner in router.admin.get("/ai/providers").json()}
        (shown,) = owners[answered]["targets"]
    assert 0 < shown["p95_latency_ms"] <= shown["p95_total_ms"]
    assert shown["failed_ago_s"] is None


def test_a_key_that_requires_an_unknown_tag_is_refused_at_load(standins: Standins, tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    create(file, "misspelt", tags=["hippa"])
    settings = config(standins) | {"access": {"apiKeysFile": str(file)}}
    with pytest.raises(ConfigError, match=r"keys\[0\]\.tags: no target has the tag 'hippa'; did you mean .hipaa.\?"):
        with running_router(settings):
            pass
