"""Clusters without a gate: whoever speaks OpenAI's API, by bearer key."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from llm_router.demo.standins.delivery import Pace
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
            ends_at = time.monotonic() + 30
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


def test_a_prompt_counts_as_unread_until_its_first_content_or_for_as_long_as_reading_it_takes() -> None:
    with running_standins(Pace(first_token_s=1.0, tokens_per_second=12)) as standins:
        cluster = {
            "name": "in-house",
            "type": "openai",
            "endpoint": standins.openai.url,
            "authType": "bearer",
            "apiKey": standins.openai.api_key,
            "models": [{"name": "gpt-5.4-mini"}],
            "costPer1kTokens": 0.002,
            "capacity": {"slots": 2, "prefillTokensPerSecond": 100},
        }
        with running_router({"clusters": [cluster]}) as router, ThreadPoolExecutor() as callers:

            async def under_way() -> tuple[int, bool, int]:
                pool = router.app.generation().board.pool("in-house")
                assert pool is not None
                return pool.in_flight, pool.unread_tokens > 0, pool.decoding

            for stream in (True, False):
                asked = callers.submit(router.chat, "Hello", stream=stream)
                seen = [(0, False, 0)]
                while not asked.done() or seen[-1] != (0, False, 0):
                    if (now := router.run(under_way())) != seen[-1]:
                        seen.append(now)
                    time.sleep(0.001)
                assert asked.result().status_code == 200
                assert seen == [(0, False, 0), (1, True, 0), (1, False, 1), (0, False, 0)]
