"""Asking llama-server: the real one as it answers, and everything that another one might."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx
import pytest

from llm_router.exporter.census import Address
from llm_router.exporter.member import Member
from llm_router.exporter.scrape import Facts, LlamaServer, Load, ScrapeFailed, scrape_client
from llm_router.model import ServedModel
from tests.router.descriptors import no_descriptors
from tests.router.edge import run
from tests.router.llama import Llama
from tests.router.ports import free_port

T = TypeVar("T")

METRICS = """# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 120
llamacpp:prompt_seconds_total 0.5
llamacpp:tokens_predicted_total 959
llamacpp:tokens_predicted_seconds_total 12.25
llamacpp:n_decode_total 700
llamacpp:requests_processing 2
llamacpp:requests_deferred 5
# TYPE llamacpp:predicted_tokens_seconds gauge
llamacpp:predicted_tokens_seconds 0
"""


def asked(question: Callable[[LlamaServer], Awaitable[T]], answer: Callable[[httpx.Request], httpx.Response]) -> T:
    async def scenario() -> T:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await question(LlamaServer(Address("http://llama/", "key"), client=client, clock=lambda: 17.0))

    return run(scenario())


def asked_really(question: Callable[[LlamaServer], Awaitable[T]], url: str, api_key: str | None) -> T:
    async def scenario() -> T:
        async with scrape_client() as client:
            return await question(LlamaServer(Address(url, api_key), client=client, clock=time.monotonic))

    return run(scenario())


# ---------------------------------------------------------------- the real one


def test_a_real_llama_server_tells_its_slots_models_and_counters(llama: Llama) -> None:
    async def all_of_it(server: LlamaServer) -> tuple[str, Facts, Load]:
        return await server.state(), await server.facts(), await server.load()

    state, facts, load = asked_really(all_of_it, llama.url, llama.api_key)
    assert state == "up"
    assert facts == Facts(4, (ServedModel(llama.model, 2048),))
    assert load.reading.sane
    assert load.reading.processing == load.deferred == 0


def test_a_real_llama_server_moves_its_counters_by_what_it_generated(llama: Llama) -> None:
    async def around_a_request(server: LlamaServer) -> tuple[Load, Load]:
        before = await server.load()
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            body = {
                "messages": [{"role": "user", "content": "Hi"}],
                "max_tokens": 40,
                "ignore_eos": True,
            }
            headers = {"authorization": f"Bearer {llama.api_key}"}
            answer = await client.post(f"{llama.url}/v1/chat/completions", json=body, headers=headers)
            assert answer.status_code == 200
        return before, await server.load()

    before, after = asked_really(around_a_request, llama.url, llama.api_key)
    assert after.reading.tokens - before.reading.tokens == 40
    assert after.reading.token_seconds > before.reading.token_seconds
    assert after.reading.decodes - before.reading.decodes >= 39


def test_a_wrong_key_is_said_as_such(llama: Llama) -> None:
    with pytest.raises(ScrapeFailed, match="401: the key is refused"):
        asked_really(lambda server: server.load(), llama.url, "wrong")


def test_what_cannot_be_asked_for_want_of_descriptors_is_not_down_and_stays_as_it_was() -> None:
    async def scenario() -> None:
        async with scrape_client() as client:
            member = Member(
                LlamaServer(Address(f"http://127.0.0.1:{free_port()}", None), client=client, clock=lambda: 0.0)
            )
            member.state = "up"
            states: list[str] = []
            with no_descriptors():
                assert await member.collect() is None
                states.append(member.state)
            await member.collect()
            states.append(member.state)
            assert states == ["up", "down"], "only who was asked can be down"

    run(scenario())


def test_nobody_there_is_down() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert asked_really(lambda server: server.state(), url, None) == "down"
    with pytest.raises(ScrapeFailed, match="/metrics"):
        asked_really(lambda server: server.load(), url, None)


# ---------------------------------------------------------------- others


@pytest.mark.parametrize(("status", "state"), [(200, "up"), (503, "starting")])
def test_the_state_is_what_health_answers(status: int, state: str) -> None:
    assert asked(lambda server: server.state(), lambda _request: httpx.Response(status)) == state


@pytest.mark.parametrize("status", [302, 401, 404, 500])
def test_an_answer_that_is_none_of_llama_cpps_is_said(status: int) -> None:
    with pytest.raises(ScrapeFailed, match=f"http://llama/health answers {status}"):
        asked(lambda server: server.state(), lambda _request: httpx.Response(status))


def test_counters_are_read_with_the_key_and_gauges_that_scrapes_reset_are_not() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.url} {request.headers['authorization']}")
        return httpx.Response(200, text=METRICS)

    load = asked(lambda server: server.load(), answer)
    assert seen == ["http://llama/metrics Bearer key"]
    assert (load.reading.tokens, load.reading.token_seconds, load.reading.decodes) == (959, 12.25, 700)
    assert (load.reading.at_s, load.reading.processing, load.deferred) == (17.0, 2, 5)


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (httpx.Response(501), "501: start llama-server with --metrics"),
        (httpx.Response(302, headers={"location": "http://evil/"}), "answers 302"),
        (httpx.Response(200, text="go_goroutines 7\n"), "lacks llamacpp:tokens_predicted_total: is this llama.cpp"),
        (httpx.Response(200, text="llamacpp:x {{{ not metrics"), "text format"),
    ],
)
def test_what_is_no_metrics_of_llama_cpp_says_what_to_do(response: httpx.Response, words: str) -> None:
    with pytest.raises(ScrapeFailed, match=words):
        asked(lambda server: server.load(), lambda _request: response)


def test_counts_that_are_no_numbers_are_zero() -> None:
    text = METRICS.replace("requests_processing 2", "requests_processing NaN").replace("deferred 5", "deferred -1")
    load = asked(lambda server: server.load(), lambda _request: httpx.Response(200, text=text))
    assert (load.reading.processing, load.deferred) == (0, 0)


@pytest.mark.parametrize("props", ['{"total_slots":"four"}', "{}", "<html>"])
def test_what_is_no_props_of_llama_cpp_is_refused(props: str) -> None:
    with pytest.raises(ScrapeFailed, match=r"/props is not what llama\.cpp answers"):
        asked(lambda server: server.facts(), lambda _request: httpx.Response(200, text=props))
