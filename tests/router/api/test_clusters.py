"""Clusters without a gate: whoever speaks OpenAI's API, by bearer key."""

from __future__ import annotations

import time

from tests.router.routers import running_router
from tests.router.standins import running_standins


def test_a_cluster_of_another_engine_answers_at_its_fixed_cost() -> None:
    with running_standins() as standins:
        cluster = {
            "name": "in-house",
            "type": "openai",
            "endpoint": standins.openai.url,
            "authType": "bearer",
            "apiKey": standins.openai.api_key,
            "models": [{"name": "gpt-5.4-mini", "contextLength": 8192}],
            "costPer1kTokens": 0.002,
        }
        with running_router({"clusters": [cluster]}) as router:
            ends_at = time.monotonic() + 5
            while router.client.get("/health").json()["healthy_clusters"] == 0:  # until then its cost is unknown
                assert time.monotonic() < ends_at
            answer = router.chat()
            assert answer.status_code == 200, answer.text
            assert answer.headers["x-llm-router-reason"] == "hybrid_cluster"
            usage = answer.json()["usage"]
            assert float(answer.headers["x-llm-router-cost-usd"]) > 0
            assert usage["completion_tokens"] > 0
            health = router.admin.get("/ai/clusters/in-house/health").json()
            assert health["status"] == "healthy"
