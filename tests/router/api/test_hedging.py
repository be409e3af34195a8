"""Hedged requests at the front door: a second target beside a slow one, both accounted for, nobody beyond the rules."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from llm_router.pricing.records import Record
from tests.router.api.test_front import raw_chat, wait_until
from tests.router.routers import MODELS, Running, providers, running_router
from tests.router.standins import Standins, running_standins

SLOW, FAST = "openai", "anthropic"
ENABLED = {"enabled": True, "after": "30ms"}
HANG_S = 30.0
STREAM_OR_NOT = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


@contextmanager
def bench(standins: Standins, hedging: dict[str, Any], *rules: dict[str, Any], **failover: Any) -> Iterator[Running]:
    standins.clear()
    first, second = providers(standins, SLOW, FAST)
    settings = {"routingStrategy": "priority", "failover": {"hedging": hedging} | failover}
    everybody = [first | {"priority": 1}, second | {"priority": 2}]
    with running_router({"externalProviders": everybody, "router": settings, "rules": [*rules]}) as router:
        yield router


def outcomes(record: Record) -> list[tuple[str, str]]:
    return [(attempt.target, attempt.outcome) for attempt in record.attempts]


def hedges(router: Running, result: str) -> float:
    registry = router.app.generation().metrics.registry
    labels = {"from": SLOW, "to": FAST, "result": result}
    return registry.get_sample_value("llm_router_hedges_total", labels) or 0.0


def answered(answer: httpx.Response, by: str) -> Any:
    assert answer.status_code == 200, answer.text
    assert answer.elapsed.total_seconds() < HANG_S
    assert answer.headers["x-llm-router-target"] == by
    return answer.headers["x-llm-router-reason"], answer.headers["x-llm-router-attempts"]


def chat_until_both_are_asked(
    router: Running, standins: Standins, *, stream: bool, second_ends: bool = False
) -> httpx.Response:
    """Who is slow goes on then, or once the second has ended."""
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(router.chat, stream=stream, max_tokens=3)
        wait_until(lambda: len(standins.anthropic.requests()) == 1)
        if second_ends:
            wait_until(lambda: router.app.generation().board.view(FAST).pending == 0)
        standins.openai.go_on()
        return asked.result()


@STREAM_OR_NOT
def test_a_slow_target_is_outpaced_by_the_next_one_and_both_are_charged_for(standins: Standins, stream: bool) -> None:
    with bench(standins, ENABLED) as router:
        standins.openai.fault("silence", times=1)
        assert answered(router.chat(stream=stream), FAST) == ("hedge", "2")
        assert [seen["outcome"] for seen in standins.openai.settled()] == ["left"]
        record = router.ledger.recent(1)[0]
        assert outcomes(record) == [(SLOW, "outpaced"), (FAST, "ok")]
        lost, won = record.attempts
        assert lost.usage is not None
        assert (lost.usage.estimated, lost.usage.output_tokens) == (True, 0)
        assert lost.cost_usd
        assert won.cost_usd
        assert record.cost_usd == pytest.approx(lost.cost_usd + won.cost_usd)
        assert (hedges(router, "won"), hedges(router, "lost")) == (1, 0)
        view = router.app.generation().board.view(SLOW)
        assert (view.pending, view.retry_at, view.failed_at) == (0, 0.0, float("-inf")), "slow is no failure"
        assert (view.p95_total_ms or 0.0) >= 25.0, "but decisions know of it"


@STREAM_OR_NOT
def test_a_first_target_that_answers_after_all_outpaces_the_second(standins: Standins, stream: bool) -> None:
    with bench(standins, ENABLED) as router:
        standins.openai.fault("slow_first_token" if stream else "silence", times=1)
        standins.anthropic.fault("silence", times=1)
        answer = chat_until_both_are_asked(router, standins, stream=stream)
        assert answered(answer, SLOW) == ("priority", "2")
        assert [seen["outcome"] for seen in standins.anthropic.settled()] == ["left"]
        assert outcomes(router.ledger.recent(1)[0]) == [(FAST, "outpaced"), (SLOW, "ok")]
        assert (hedges(router, "won"), hedges(router, "lost")) == (0, 1)
        assert router.app.generation().board.view(FAST).p95_total_ms is None, "it had no time to show how slow it is"


@STREAM_OR_NOT
def test_a_second_target_that_fails_leaves_the_first_to_answer(standins: Standins, stream: bool) -> None:
    with bench(standins, ENABLED, maxRetries=1) as router:
        standins.openai.fault("slow_first_token" if stream else "silence", times=1)
        standins.anthropic.fault("status", status=500, times=1)
        answer = chat_until_both_are_asked(router, standins, stream=stream, second_ends=True)
        assert answered(answer, SLOW) == ("priority", "2")
        assert outcomes(router.ledger.recent(1)[0]) == [(FAST, "status"), (SLOW, "ok")]


@STREAM_OR_NOT
def test_when_both_have_failed_the_plan_goes_on(standins: Standins, stream: bool) -> None:
    with bench(standins, ENABLED) as router:
        router.config["externalProviders"] += [providers(standins, "gemini")[0] | {"priority": 3}]
        router.config["router"]["timeouts"] = {"firstToken": "1s"}
        assert router.admin.post("/admin/reload").status_code == 200
        standins.openai.fault("slow_first_token" if stream else "silence", seconds=HANG_S, times=1)
        standins.anthropic.fault("error_first_event", times=1)
        assert answered(router.chat(stream=stream, max_tokens=1), "gemini")[1] == "3"
        assert outcomes(router.ledger.recent(1)[0]) == [(FAST, "status"), (SLOW, "timeout"), ("gemini", "ok")]


def test_it_is_off_by_default(standins: Standins) -> None:
    with bench(standins, {}) as router:
        standins.openai.fault("silence", seconds=0.2, times=1)
        assert answered(router.chat(), SLOW) == ("priority", "1")
        assert not standins.anthropic.requests()


def test_a_rule_says_who_is_hedged(standins: Standins) -> None:
    rule = {"name": "urgent", "conditions": [{"type": "header", "header": "X-Urgent"}], "hedge": True}
    with bench(standins, {"after": "30ms"}, rule) as router:
        standins.openai.fault("silence", seconds=0.2, times=1)
        standins.openai.fault("silence", times=1)
        answered(router.chat(), SLOW)
        answered(router.chat(headers={"X-Urgent": "1"}), FAST)
        asked = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}
        explained = [router.client.post("/v1/route", json=asked, headers=h).json() for h in ({}, {"X-Urgent": "1"})]
        assert [decision["hedged"] for decision in explained] == [False, True]


@pytest.mark.parametrize("headers", [{"X-LLM-Target": SLOW}, {"X-LLM-Compliance": "gdpr"}], ids=["target", "tag"])
def test_nobody_is_asked_who_may_not_answer(standins: Standins, headers: dict[str, str]) -> None:
    with bench(standins, ENABLED) as router:
        router.config["externalProviders"][0]["compliance"] = ["gdpr"]
        assert router.admin.post("/admin/reload").status_code == 200
        standins.openai.fault("silence", seconds=0.2, times=1)
        assert answered(router.chat(headers=headers), SLOW)[1] == "1"
        assert not standins.anthropic.requests()


def test_without_a_time_it_goes_by_what_the_target_usually_takes(standins: Standins) -> None:
    with bench(standins, {"enabled": True}) as router:
        standins.openai.fault("silence", seconds=0.2, times=1)
        assert answered(router.chat(), SLOW)[1] == "1", "nobody knows yet how slow that is"
        assert (router.app.generation().board.view(SLOW).p95_total_ms or 0.0) >= 190.0
        standins.openai.fault("silence", times=1)
        assert answered(router.chat(), FAST) == ("hedge", "2")
        assert outcomes(router.ledger.recent(1)[0]) == [(SLOW, "outpaced"), (FAST, "ok")]


def test_hedges_have_the_budget_of_follow_ups(standins: Standins) -> None:
    with bench(standins, ENABLED) as router, ThreadPoolExecutor(20) as threads:
        standins.openai.fault("silence", seconds=1.0)
        standins.anthropic.fault("silence", seconds=1.0)
        answers = [threads.submit(router.chat) for _ in range(20)]
        assert {answer.result().status_code for answer in answers} == {200}
        assert 1 <= len(standins.anthropic.requests()) <= 3 + 20 / 5 + 1


@STREAM_OR_NOT
def test_a_caller_who_leaves_frees_both(standins: Standins, stream: bool) -> None:
    with bench(standins, ENABLED) as router:
        standins.openai.fault("silence", times=1)
        standins.anthropic.fault("silence", times=1)
        raw = raw_chat(router, stream=stream)
        wait_until(lambda: len(standins.anthropic.requests()) == 1)
        raw.close()
        assert [seen["outcome"] for seen in standins.anthropic.settled()] == ["left"]
        assert [seen["outcome"] for seen in standins.openai.settled()] == ["left"]
        wait_until(lambda: len(router.ledger) == 1)
        record = router.ledger.recent(1)[0]
        assert (record.status, outcomes(record)) == (499, [(SLOW, "client_gone"), (FAST, "client_gone")])
        assert {router.app.generation().board.view(name).pending for name in (SLOW, FAST)} == {0}


def test_a_streamed_answer_is_of_one_model_only(standins: Standins) -> None:
    with bench(standins, {"enabled": True, "after": "1ms"}) as router:
        alone = {name: router.chat(model=MODELS[name], stream=True, max_tokens=40).text for name in (SLOW, FAST)}
        texts = {name: said(text) for name, text in alone.items()}
        for _ in range(20):
            answer = router.chat(stream=True, max_tokens=40)
            assert said(answer.text) == texts[answer.headers["x-llm-router-target"]]
            assert answer.text.rstrip().endswith("data: [DONE]")


def said(stream: str) -> list[str]:
    """The content events, as far as they are the same each time."""
    return [line.partition('"delta":')[2].partition("}")[0] for line in stream.splitlines() if '"delta":' in line]
