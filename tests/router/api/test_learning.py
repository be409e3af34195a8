"""A running router learns what to expect from the answers that it passes on, and keeps it across a reload."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from llm_router.pricing.estimate import PRIOR_OUTPUT_TOKENS
from llm_router.pricing.expectations import ENOUGH
from tests.router.routers import MODELS, Running, providers, running_router
from tests.router.standins import Standins, running_standins

MODEL = MODELS["openai"]
QUESTION = "Say hello."


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


@pytest.fixture
def router(standins: Standins) -> Iterator[Running]:
    standins.clear()
    with running_router({"externalProviders": providers(standins, "openai")}) as running:
        yield running


def estimated_usd(router: Running) -> float:
    body = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}]}
    answer = router.client.post("/v1/route", json=body).json()
    return float(answer["targets"][0]["estimated_usd"])


def ask(router: Running, **fields: Any) -> float:
    answer = router.chat(QUESTION, model=MODEL, max_tokens=None, **fields)
    assert answer.status_code == 200, answer.text
    return float(answer.headers["x-llm-router-cost-usd"])


def test_estimates_come_to_be_what_answers_cost_and_outlive_a_reload(router: Running) -> None:
    before = estimated_usd(router)
    cost = {ask(router) for _ in range(ENOUGH)}
    assert len(cost) == 1, "the stand-in gives equal questions equal answers"
    learnt = estimated_usd(router)
    assert learnt == pytest.approx(cost.pop(), rel=0.05)
    assert before > 2 * learnt, f"the first guess is {PRIOR_OUTPUT_TOKENS} tokens, the answer has about 20"
    assert router.admin.post("/admin/reload").status_code == 200
    assert estimated_usd(router) == learnt


def test_how_far_off_estimates_are_is_a_metric(router: Running) -> None:
    ask(router)
    metrics = router.client.get("/metrics").text
    for of in ("input_tokens", "output_tokens", "usd"):
        assert f'llm_router_estimate_ratio_count{{of="{of}",target="openai"}} 1.0' in metrics


def test_an_answer_that_broke_off_teaches_nothing(standins: Standins) -> None:
    standins.clear()
    patient = {"failover": {"circuitBreaker": {"failureThreshold": 100}}}
    with running_router({"externalProviders": providers(standins, "openai"), "router": patient}) as router:
        before = estimated_usd(router)
        standins.openai.fault("cut", after_events=4)
        for _ in range(ENOUGH):
            assert "upstream_interrupted" in router.chat(QUESTION, model=MODEL, stream=True).text
        assert estimated_usd(router) == before
        assert "llm_router_estimate_ratio_count" not in router.client.get("/metrics").text


def test_a_model_without_a_price_is_unknown_in_the_decision_and_in_the_metrics(standins: Standins) -> None:
    standins.clear()
    unpriced = providers(standins, "openai")[0] | {"models": [MODEL, "gpt-unheard-of"]}
    with running_router({"externalProviders": [unpriced]}) as router:
        body = {"model": "gpt-unheard-of", "messages": [{"role": "user", "content": "Hi"}]}
        (target,) = router.client.post("/v1/route", json=body).json()["targets"]
        assert target["estimated_usd"] is None
        assert target["usd_per_1k_tokens"] is None
        metrics = router.client.get("/metrics").text
        assert 'llm_router_list_price_known{model="gpt-unheard-of",provider="openai"} 0.0' in metrics
        assert f'llm_router_list_price_known{{model="{MODEL}",provider="openai"}} 1.0' in metrics
        assert 'llm_router_provider_cost_per_1k_tokens{model="gpt-unheard-of"' not in metrics
