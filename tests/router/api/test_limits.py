"""Limits and budgets of keys and targets on a real server, against protocol-true stand-ins."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from llm_router.admission.key_file import create
from tests.router.redis_server import RedisServer, running_redis
from tests.router.routers import MODELS, Running, providers, running_router
from tests.router.standins import Standins, running_standins

PRICE = {"inputPer1k": 0.01, "outputPer1k": 0.03}
"""Of every provider here, so that 12 tokens of an answer are 0.00036 USD."""


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults(standins: Standins) -> None:
    standins.clear()


def config(standins: Standins, folder: Path, **changes: dict[str, Any]) -> dict[str, Any]:
    """``changes`` by provider. Without any a request for ``auto`` goes to openai first."""
    owners = [owner | {"price": PRICE} | changes.get(owner["name"], {}) for owner in providers(standins)]
    access = {"apiKeysFile": str(folder / "keys.yaml")}
    return {"externalProviders": owners, "access": access, "router": {"routingStrategy": "failover"}}


class Keys:
    """Makes keys before the router starts, and asks with them."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "keys.yaml"
        self._keys: dict[str, str] = {}
        self("anybody")

    def __call__(self, name: str, **more: Any) -> dict[str, str]:
        """The headers with that key."""
        if name not in self._keys:
            self._keys[name] = create(self._file, name, **more)
        return {"authorization": f"Bearer {self._keys[name]}"}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def target(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-llm-router-target"])


def standing(router: Running, name: str) -> dict[str, Any]:
    """What is used, by limit and budget."""
    (owner,) = [owner for owner in router.admin.get("/admin/budgets").json() if owner["name"] == name]
    used = {limit["limit"]: limit["used"] for limit in owner["limits"]}
    return used | {budget["budget"]: budget["used_usd"] for budget in owner["budgets"]}


# ---------------------------------------------------------------- targets


def test_a_provider_at_its_limit_is_passed_over_until_nobody_is_left(
    standins: Standins, keys: Keys, tmp_path: Path
) -> None:
    limited = {name: {"rateLimit": {"requestsPerMinute": 1}} for name in MODELS}
    with running_router(config(standins, tmp_path, **limited)) as router:
        asked = [router.chat(headers=keys("anybody")) for _ in range(4)]
        assert [target(answer) for answer in asked[:3]] == ["openai", "anthropic", "gemini"]
        assert {answer.headers["x-llm-router-attempts"] for answer in asked[:3]} == {"1"}
        assert error(asked[3]) == (429, "rate_limit_exceeded")
        assert 59 <= int(asked[3].headers["retry-after"]) <= 61
        rejected = asked[3].json()["error"]["rejected"]
        assert rejected == [{"target": name, "reason": "rate_limited: requestsPerMinute 1"} for name in MODELS]
        decided = router.admin.get("/admin/decisions").json()[0]
        assert [one["reason"] for one in decided["rejected"]] == ["rate_limited: requestsPerMinute 1"] * 2
        shown = router.admin.get("/ai/providers").json()[0]["targets"][0]
        assert shown["limited"] == ["requestsPerMinute 1"]
        assert standing(router, "openai") == {"requestsPerMinute": 1}


def test_tokens_are_reserved_by_their_bound_and_settled_by_what_came(
    standins: Standins, keys: Keys, tmp_path: Path
) -> None:
    limited = {"openai": {"rateLimit": {"tokensPerMinute": 1000}}}
    with running_router(config(standins, tmp_path, **limited)) as router:
        large = router.chat(headers=keys("anybody"), max_tokens=1001)
        assert target(large) == "anthropic"
        first = router.chat(headers=keys("anybody"), max_tokens=900)
        assert target(first) == "openai"
        used = first.json()["usage"]["total_tokens"]
        assert standing(router, "openai") == {"tokensPerMinute": used}
        assert target(router.chat(headers=keys("anybody"), max_tokens=900)) == "openai"


def test_slots_are_held_until_the_answer_ends_also_when_the_caller_leaves(
    standins: Standins, keys: Keys, tmp_path: Path
) -> None:
    limited = {"openai": {"rateLimit": {"concurrentRequests": 1}}}
    with running_router(config(standins, tmp_path, **limited)) as router:
        standins.openai.fault("silence", times=1)
        with pytest.raises(httpx.ReadTimeout):
            router.client.post(
                "/v1/chat/completions",
                json={"model": "auto", "messages": [{"role": "user", "content": "x"}]},
                headers=keys("anybody"),
                timeout=httpx.Timeout(30, read=1.0),
            )
        _eventually(lambda: standing(router, "openai") == {"concurrentRequests": 0})
        standins.openai.fault("stall", times=1, after_events=3)
        with router.client.stream(
            "POST",
            "/v1/chat/completions",
            json={"model": "auto", "stream": True, "messages": [{"role": "user", "content": "x"}]},
            headers=keys("anybody"),
        ) as stream:
            came = stream.iter_bytes()
            assert next(came)
            assert standing(router, "openai") == {"concurrentRequests": 1}
            assert target(router.chat(headers=keys("anybody"))) == "anthropic"
        _eventually(lambda: standing(router, "openai") == {"concurrentRequests": 0})
        assert target(router.chat(headers=keys("anybody"))) == "openai"


def test_a_targets_budget_sends_to_others_and_is_402_where_there_are_none(
    standins: Standins, keys: Keys, tmp_path: Path
) -> None:
    poor = {"budget": {"daily": 0.0008}}
    with running_router(config(standins, tmp_path, openai=poor, anthropic=poor, gemini={"enabled": False})) as router:
        answers = [router.chat(headers=keys("anybody")) for _ in range(6)]
        answered = [target(answer) for answer in answers if answer.status_code == 200]
        assert set(answered) == {"openai", "anthropic"}
        last = answers[-1]
        assert error(last) == (402, "budget_exceeded")
        assert last.json()["error"]["type"] == "insufficient_quota"
        reasons = {one["reason"] for one in router.chat(headers=keys("anybody")).json()["error"]["rejected"]}
        assert reasons == {"budget_exceeded: daily 0.0008 USD"}
        spent = sum(float(answer.headers["x-llm-router-cost-usd"]) for answer in answers[: len(answered)])
        booked = standing(router, "openai")["daily"] + standing(router, "anthropic")["daily"]
        assert booked == pytest.approx(spent, abs=1e-8)


def test_a_failed_attempt_gives_back_what_it_held(standins: Standins, keys: Keys, tmp_path: Path) -> None:
    limited = {"openai": {"rateLimit": {"tokensPerMinute": 1000, "concurrentRequests": 5}, "budget": {"daily": 1}}}
    with running_router(config(standins, tmp_path, **limited)) as router:
        standins.openai.fault("status", times=2, status=500)
        assert target(router.chat(headers=keys("anybody"))) == "anthropic"
        assert standing(router, "openai") == {"tokensPerMinute": 0, "concurrentRequests": 0, "daily": 0.0}


# ---------------------------------------------------------------- keys


def test_a_key_at_its_limit_is_429_with_the_headers_that_sdks_read(
    standins: Standins, keys: Keys, tmp_path: Path
) -> None:
    headers = keys("alice", limits={"requestsPerMinute": 2, "tokensPerMinute": 5000})
    with running_router(config(standins, tmp_path)) as router:
        first = router.chat(headers=headers)
        assert first.headers["x-ratelimit-limit-requests"] == "2"
        assert first.headers["x-ratelimit-remaining-requests"] == "1"
        assert first.headers["x-ratelimit-reset-requests"].startswith("1m")
        assert int(first.headers["x-ratelimit-remaining-tokens"]) < 5000
        assert "x-ratelimit-limit-requests" in router.chat(headers=headers, stream=True).headers
        client = openai.OpenAI(
            base_url=f"{router.url}/v1", api_key=headers["authorization"].split()[1], max_retries=0, timeout=30
        )
        with client, pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "x"}])
        assert caught.value.code == "rate_limit_exceeded"
        assert 30 < int(caught.value.response.headers["retry-after"]) <= 61
        assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "0"
        assert router.chat(headers=keys("anybody")).status_code == 200
        assert 'scope="key"} 1.0' in _metric(router, "llm_router_limited_total")
        assert len(router.admin.get("/admin/requests").json()) == 3  # a refusal is no request to account for


def test_a_request_too_large_for_the_key_is_told_not_to_come_again(
    standins: Standins, keys: Keys, tmp_path: Path
) -> None:
    headers = keys("alice", limits={"tokensPerMinute": 100})
    with running_router(config(standins, tmp_path)) as router:
        answer = router.chat(headers=headers, max_tokens=200)
        assert error(answer) == (429, "rate_limit_exceeded")
        assert answer.headers["x-should-retry"] == "false"
        assert "retry-after" not in answer.headers
        assert router.chat(headers=headers, max_tokens=50).status_code == 200


@pytest.mark.parametrize("stated", [None, 50, 2**31 - 1], ids=["left out", "less", "huge"])
def test_with_a_bound_on_answers_no_reservation_is_larger_or_smaller(
    standins: Standins, keys: Keys, tmp_path: Path, stated: int | None
) -> None:
    """Looked at while the request is under way; and the target is told the bound."""
    bound = 50 if stated == 50 else 100
    headers = keys("alice", limits={"tokensPerMinute": 1000})
    limited = config(standins, tmp_path)
    limited["router"]["maxTokens"] = 100
    standins.openai.fault("silence", times=1)
    with running_router(limited) as router, ThreadPoolExecutor(1) as threads:
        asked = threads.submit(router.chat, headers=headers, max_tokens=stated)
        _eventually(lambda: standing(router, "alice")["tokensPerMinute"] > 0)
        assert bound < standing(router, "alice")["tokensPerMinute"] < bound + 40  # the prompt, too
        standins.openai.go_on()
        assert asked.result().status_code == 200
    body = json.loads(standins.openai.requests()[0]["body"])
    assert (body.get("max_completion_tokens") or body.get("max_tokens")) == bound


def test_several_answers_are_reserved_several_times(standins: Standins, keys: Keys, tmp_path: Path) -> None:
    headers = keys("alice", limits={"tokensPerMinute": 100})
    with running_router(config(standins, tmp_path)) as router:
        assert error(router.chat(headers=headers, max_tokens=20, n=5)) == (429, "rate_limit_exceeded")
        assert router.chat(headers=headers, max_tokens=20, n=2).status_code == 200


def test_a_request_that_nobody_may_answer_counts_as_one_and_holds_nothing(
    standins: Standins, keys: Keys, tmp_path: Path
) -> None:
    headers = keys("alice", limits={"requestsPerMinute": 9, "tokensPerMinute": 5000, "concurrentRequests": 3})
    with running_router(config(standins, tmp_path)) as router:
        assert router.chat(headers=headers, model="nobodys").status_code == 404
        expected = {"requestsPerMinute": 1, "tokensPerMinute": 0, "concurrentRequests": 0}
        assert standing(router, "alice") == expected


def test_asking_for_the_route_counts_for_nothing(standins: Standins, keys: Keys, tmp_path: Path) -> None:
    headers = keys("alice", limits={"requestsPerMinute": 1})
    with running_router(config(standins, tmp_path)) as router:
        body = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}
        for _ in range(3):
            assert router.client.post("/v1/route", json=body, headers=headers).status_code == 200
        assert standing(router, "alice") == {"requestsPerMinute": 0}


def test_one_more_than_may_run_at_a_time_is_429(standins: Standins, keys: Keys, tmp_path: Path) -> None:
    headers = keys("alice", limits={"concurrentRequests": 2})
    with running_router(config(standins, tmp_path)) as router:
        standins.openai.fault("slow_first_token", times=2)
        with ThreadPoolExecutor(6) as callers:
            asked = [callers.submit(router.chat, headers=headers, stream=True) for _ in range(6)]
            _eventually(lambda: sum(one.done() for one in asked) == 4)
            standins.openai.go_on()
            answers = [one.result() for one in asked]
        assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429, 429, 429]
        _eventually(lambda: standing(router, "alice") == {"concurrentRequests": 0})
        assert router.chat(headers=headers).status_code == 200


def test_a_keys_budget_is_402_that_says_which_and_until_when(standins: Standins, keys: Keys, tmp_path: Path) -> None:
    headers = keys("alice", budget={"daily": 0.0009, "monthly": 5.0})
    with running_router(config(standins, tmp_path)) as router:
        answers = [router.chat(headers=headers) for _ in range(6)]
        assert answers[0].status_code == 200
        refused = answers[-1]
        assert error(refused) == (402, "budget_exceeded")
        assert "This API key's budget, daily 0.0009 USD" in refused.json()["error"]["message"]
        assert 0 < int(refused.headers["retry-after"]) <= 86_400
        spent = sum(float(answer.headers.get("x-llm-router-cost-usd", 0)) for answer in answers)
        assert standing(router, "alice")["daily"] == pytest.approx(spent, abs=1e-8)
        assert spent <= 0.0009


def test_near_its_budget_a_key_is_told_and_so_is_the_operator_once(
    standins: Standins, keys: Keys, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    headers = keys("alice", budget={"daily": 0.001, "softPercent": 30, "hard": False})
    with running_router(config(standins, tmp_path)) as router, caplog.at_level(logging.WARNING, "llm_router.limits"):
        answers = [router.chat(headers=headers) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 6
        assert "x-llm-router-budget" not in answers[0].headers
        assert answers[-1].headers["x-llm-router-budget"].startswith("daily ")
        assert _metric(router, "llm_router_budget_alerts_total").endswith(" 1.0")
        assert float(_metric(router, "llm_router_budget_used_usd").split()[-1]) > 0.001
    assert [record.message.partition(" has used ")[0] for record in caplog.records] == ["key alice"]


def test_with_a_hard_budget_nobody_is_asked_whose_price_is_not_known(
    standins: Standins, keys: Keys, tmp_path: Path
) -> None:
    unpriced = {"openai": {"type": "openai-compatible", "price": None}}
    loaded = config(standins, tmp_path, **unpriced)
    loaded["externalProviders"][0].pop("price")
    hard, soft = keys("alice", budget={"daily": 1.0}), keys("bob", budget={"daily": 1.0, "hard": False})
    with running_router(loaded) as router:
        assert target(router.chat(headers=hard)) == "anthropic"
        pinned = router.chat(headers=hard | {"X-LLM-Target": "openai"})
        assert error(pinned) == (503, "no_compliant_target")
        assert {"target": "openai", "reason": "cost: the cost is not known"} in pinned.json()["error"]["rejected"]
        assert target(router.chat(headers=soft)) == "openai"


def test_what_the_admin_sees_names_keys_and_shows_none(standins: Standins, keys: Keys, tmp_path: Path) -> None:
    headers = keys("alice", limits={"requestsPerMinute": 5}, budget={"daily": 1.0, "monthly": 20.0})
    with running_router(config(standins, tmp_path)) as router:
        shown = router.admin.get("/admin/budgets")
        key = headers["authorization"].split()[1]
        assert key[5:48] not in shown.text
        (alice,) = shown.json()
        assert alice["limits"] == [{"limit": "requestsPerMinute", "ceiling": 5, "used": 0}]
        daily, monthly = alice["budgets"]
        assert daily == {
            "budget": "daily",
            "usd": 1.0,
            "used_usd": 0.0,
            "soft_usd": 0.8,
            "hard": True,
            "until": daily["until"],
        }
        assert daily["until"] <= monthly["until"]


def test_a_reload_keeps_what_was_counted(standins: Standins, keys: Keys, tmp_path: Path) -> None:
    headers = keys("alice", limits={"requestsPerMinute": 1})
    with running_router(config(standins, tmp_path)) as router:
        assert router.chat(headers=headers).status_code == 200
        assert router.admin.post("/admin/reload").json()["reloaded"]
        assert router.chat(headers=headers).status_code == 429
        router.config["state"] = {"backend": "redis", "url": "redis://127.0.0.1:1/0"}
        refused = router.admin.post("/admin/reload").json()
        assert not refused["reloaded"]
        assert "state" in refused["problems"][0]


# ---------------------------------------------------------------- several routers


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path / "redis") as running:
        yield running


def test_two_routers_on_one_redis_share_limits_and_go_on_without_it(
    standins: Standins, keys: Keys, tmp_path: Path, server: RedisServer
) -> None:
    headers = keys("alice", limits={"requestsPerMinute": 4}, budget={"daily": 1.0})
    loaded = config(standins, tmp_path) | {"state": {"backend": "redis", "url": server.url, "timeout": "2s"}}
    with running_router(loaded) as one, running_router(loaded) as other:
        answers = [router.chat(headers=headers) for router in (one, other, one, other, one)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
        spent = sum(float(answer.headers["x-llm-router-cost-usd"]) for answer in answers[:4])
        _eventually(lambda: standing(other, "alice")["daily"] == pytest.approx(spent, abs=1e-8))
        assert _metric(one, "llm_router_state_up").endswith(" 1.0")
        server.process.end()
        assert one.chat(headers=headers).status_code == 200  # its part of a new minute
        assert _metric(one, "llm_router_state_up").endswith(" 0.0")


def test_a_router_that_may_not_count_alone_refuses_what_has_a_limit(
    standins: Standins, keys: Keys, tmp_path: Path, server: RedisServer
) -> None:
    headers = keys("alice", limits={"requestsPerMinute": 4})
    state = {"backend": "redis", "url": server.url, "timeout": "2s", "whenDown": "deny"}
    limited = {"openai": {"rateLimit": {"requestsPerMinute": 100}}}
    with running_router(config(standins, tmp_path, **limited) | {"state": state}) as router:
        server.process.end()
        assert error(router.chat(headers=headers)) == (503, "limits_unavailable")
        assert target(router.chat(headers=keys("anybody"))) == "anthropic"


def _metric(router: Running, name: str) -> str:
    lines = router.admin.get("/metrics").text.splitlines()
    return next(line for line in lines if line.startswith(name) and "_created" not in line)


def _eventually(done: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 30
    while not done():
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.02)
