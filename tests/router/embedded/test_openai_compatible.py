"""The shipped provider asks a real server over the router's own wire and client, and its failures are understood."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from llm_router import IntelligentRouter, OpenAICompatibleProvider, RoutingStrategy
from llm_router.config.scalars import Seconds
from llm_router.config.schema import Timeouts
from llm_router.embedded import HealthChecked
from llm_router.errors import ClientError, ConnectFailed, NoTarget, UpstreamRefused
from tests.router.ports import free_port
from tests.router.standins import Standin, Standins, running_standins

MODEL = "gpt-5.4-mini"
BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 12}


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


@pytest.fixture
def openai(standins: Standins) -> Standin:
    standins.clear()
    return standins.openai


def provider(openai: Standin, name: str = "openai", **settings: Any) -> OpenAICompatibleProvider:
    return OpenAICompatibleProvider(name, openai.url, openai.api_key, MODEL, **settings)


@pytest.mark.parametrize(
    "request_", ["Hello", BODY, {**BODY, "model": "another"}, {"prompt": "Hello", "temperature": 0.5}]
)
def test_a_request_in_any_form_gets_a_whole_answer_of_the_providers_model(openai: Standin, request_: Any) -> None:
    async def main() -> dict[str, Any]:
        async with provider(openai) as one:
            return await one.complete(request_)

    answer = asyncio.run(main())
    assert answer["object"] == "chat.completion"
    assert answer["model"].startswith(MODEL)
    assert answer["choices"][0]["message"]["content"]
    assert answer["usage"]["completion_tokens"] > 0
    assert [request["path"] for request in openai.requests()] == ["/v1/chat/completions"]


@pytest.mark.parametrize("request_", [7, None, {"task": "x"}, {**BODY, "stream": True}, {"messages": []}])
def test_what_it_cannot_take_is_the_callers_mistake_and_goes_nowhere(openai: Standin, request_: Any) -> None:
    async def main() -> None:
        async with provider(openai) as one:
            with pytest.raises(ClientError):
                await one.complete(request_)

    asyncio.run(main())
    assert openai.requests() == []


def test_it_can_be_closed_and_used_again(openai: Standin) -> None:
    async def main() -> None:
        one = provider(openai)
        for _ in range(2):
            assert await one.health_check()
            assert await one.complete("Hello")
            await one.aclose()

    asyncio.run(main())


def test_silence_ends_at_the_timeout(openai: Standin) -> None:
    async def main() -> None:
        timeouts = Timeouts(first_token=Seconds(0.05), between_tokens=Seconds(0.05), total=Seconds(5))
        router = IntelligentRouter()
        async with provider(openai, timeouts=timeouts) as one, router:
            router.register_provider(one)
            openai.fault("silence", seconds=5.0)
            with pytest.raises(NoTarget) as refused:
                await (await router.get_provider_for_request("Hello")).complete("Hello")
            assert refused.value.status == 504
            assert router.metrics()["openai"].failures == 1

    asyncio.run(main())


def test_nobody_listening_is_a_failed_connection_and_bad_health() -> None:
    async def main() -> None:
        async with OpenAICompatibleProvider("gone", f"http://127.0.0.1:{free_port()}", "key", MODEL) as gone:
            with pytest.raises(ConnectFailed):
                await gone.complete("Hello")
            assert not await gone.health_check()

    asyncio.run(main())


def test_health_is_asked_for_with_the_key(openai: Standin) -> None:
    async def main() -> None:
        async with (
            provider(openai) as known,
            OpenAICompatibleProvider("wrong", openai.url, "sk-wrong", MODEL) as unknown,
        ):
            assert isinstance(known, HealthChecked)
            assert await known.health_check()
            assert not await unknown.health_check()
            with pytest.raises(UpstreamRefused) as refused:
                await unknown.complete("Hello")
            assert refused.value.status == 401

    asyncio.run(main())


def test_a_failing_server_cools_down_while_the_other_answers_and_comes_back(openai: Standin) -> None:
    async def main() -> None:
        now = 1000.0
        router = IntelligentRouter(RoutingStrategy.FAILOVER, failover_cooldown=30, clock=lambda: now)
        async with provider(openai, "first") as first, provider(openai, "second") as second, router:
            router.register_provider(first, cost_per_1k_tokens=0.001)
            router.register_provider(second, cost_per_1k_tokens=0.002)
            openai.fault("status", status=500, times=1)
            with pytest.raises(NoTarget) as refused:
                await (await router.get_provider_for_request(BODY)).complete(BODY)
            assert refused.value.status == 502
            chosen = await router.get_provider_for_request(BODY)
            assert chosen.name == "second"
            assert await chosen.complete(BODY)
            now += 30
            assert (await router.get_provider_for_request(BODY)).name == "first"
            metrics = router.metrics()
            assert (metrics["first"].failures, metrics["second"].failures) == (1, 0)
            assert metrics["second"].cost_usd == pytest.approx(metrics["second"].tokens * 0.002 / 1000)

    asyncio.run(main())


@pytest.mark.parametrize("url", ["ftp://example.com", "http://example.com", "https://user:pass@example.com", "x"])
def test_an_address_that_cannot_be_asked_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        OpenAICompatibleProvider("a", url, "key", MODEL)


def test_plain_http_elsewhere_must_be_meant() -> None:
    assert OpenAICompatibleProvider("a", "http://10.0.0.1:8000/v1", "key", MODEL, private=True).name == "a"
