"""``POST /v1/chat/completions`` on a real server, against protocol-true stand-ins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from llm_router.demo.standins.delivery import Pace
from tests.router.routers import MODELS, Running, providers, running_router
from tests.router.standins import Standins, running_standins


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


@pytest.fixture
def router(standins: Standins) -> Iterator[Running]:
    standins.clear()
    timeouts = {"firstToken": "1500ms", "betweenTokens": "1500ms"}
    with running_router({"externalProviders": providers(standins), "router": {"timeouts": timeouts}}) as running:
        yield running


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    data = [line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith("data: ")]
    return [json.loads(item) for item in data if item != "[DONE]"]


def text_of(stream: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content") or "" for event in stream for choice in event.get("choices", ()))


def named(answer: httpx.Response, name: str) -> str:
    return str(answer.headers[f"x-llm-router-{name}"])


@pytest.mark.parametrize("owner", MODELS)
def test_every_wire_answers_whole_with_its_own_model_usage_and_cost(router: Running, owner: str) -> None:
    answer = router.chat(model=MODELS[owner])
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"]["content"]
    assert body["choices"][0]["finish_reason"] in ("stop", "length")
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    assert (named(answer, "target"), named(answer, "model")) == (owner, MODELS[owner])
    assert named(answer, "attempts") == "1"
    assert float(named(answer, "cost-usd")) > 0


@pytest.mark.parametrize("owner", MODELS)
def test_every_wire_streams_with_usage_cost_and_done(router: Running, owner: str) -> None:
    answer = router.chat(model=MODELS[owner], stream=True, stream_options={"include_usage": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    stream = events(answer)
    assert text_of(stream)
    assert stream[-1]["choices"] == []
    assert stream[-1]["usage"]["completion_tokens"] > 0
    assert sum(1 for event in stream if event.get("usage")) == 1
    tail = answer.text.rstrip().splitlines()
    assert tail[-1] == "data: [DONE]"
    assert any(line.startswith(": x-llm-router-cost-usd: 0.0") for line in tail[-4:])


@pytest.mark.parametrize("owner", MODELS)
def test_nobody_gets_usage_who_did_not_ask_for_it(router: Running, owner: str) -> None:
    stream = events(router.chat(model=MODELS[owner], stream=True))
    assert text_of(stream)
    assert not any(event.get("usage") or not event["choices"] for event in stream)


def test_streamed_and_whole_answers_say_the_same(router: Running) -> None:
    for model in MODELS.values():
        whole = router.chat(model=model).json()["choices"][0]["message"]["content"]
        assert text_of(events(router.chat(model=model, stream=True))) == whole


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        ({"kind": "status", "status": 500, "times": 2}, 3),
        ({"kind": "status", "status": 503, "times": 1}, 2),
        ({"kind": "rate_limit", "times": 1, "retry_after": "1"}, 2),
        ({"kind": "quota", "times": 1}, 2),
        ({"kind": "overloaded", "times": 1}, 2),
        ({"kind": "reset", "times": 1}, 2),
        ({"kind": "silence", "times": 1}, 2),
        ({"kind": "slow_first_token", "seconds": 30, "times": 1}, 2),
        ({"kind": "error_first_event", "times": 1}, 2),
        ({"kind": "cut", "after_events": 2, "times": 1, "how": "eof"}, 2),
        ({"kind": "status", "status": 401, "times": 1}, 2),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_failure_before_the_first_content_is_invisible(
    router: Running, standins: Standins, fault: dict[str, Any], attempts: int, stream: bool
) -> None:
    standins.anthropic.fault(**fault)
    answer = router.chat(stream=stream)
    assert answer.status_code == 200, answer.text
    assert text_of(events(answer)) if stream else answer.json()["choices"][0]["message"]["content"]
    assert int(named(answer, "attempts")) >= 2
    record = router.ledger.recent(1)[0]
    assert record.target == named(answer, "target")
    assert record.attempts[0].target == "anthropic"
    assert record.attempts[-1].outcome == "ok"


@pytest.mark.parametrize("kind", ["cut", "stall", "malformed"])
def test_after_the_first_content_a_broken_stream_ends_in_one_clean_error_and_is_billed(kind: str) -> None:
    timeouts = {"firstToken": "30s", "betweenTokens": "1500ms"}
    with running_standins(Pace(tokens_per_second=100)) as standins:
        config = {"externalProviders": providers(standins), "router": {"timeouts": timeouts}}
        with running_router(config) as router:
            standins.anthropic.fault(kind, after_events=8, times=1, **({"seconds": 30} if kind == "stall" else {}))
            answer = router.chat(stream=True, max_tokens=40)
    stream = events(answer)
    assert text_of(stream[:-1])
    assert stream[-1]["error"]["code"] == "upstream_interrupted"
    assert stream[-1]["error"]["type"] == "api_error"
    assert "[DONE]" not in answer.text
    record = router.ledger.recent(1)[0]
    assert record.status == 502
    assert record.usage.output_tokens > 0
    assert record.cost_usd
    assert len(record.attempts) == 1


@pytest.mark.parametrize("kind", ["cut", "stall", "malformed"])
def test_whoever_does_not_stream_gets_a_whole_answer_all_the_same(
    router: Running, standins: Standins, kind: str
) -> None:
    standins.anthropic.fault(kind, after_events=8, times=1, **({"seconds": 30} if kind == "stall" else {}))
    answer = router.chat(max_tokens=40)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"]
    assert named(answer, "target") != "anthropic"
    record = router.ledger.recent(1)[0]
    assert record.attempts[0].target == "anthropic"


def test_a_stream_without_its_end_marker_is_complete_after_its_finish_reason(
    router: Running, standins: Standins
) -> None:
    standins.openai.fault("no_done", times=1, seconds=30)
    answer = router.chat(model=MODELS["openai"], stream=True)
    assert text_of(events(answer))
    assert answer.text.rstrip().endswith("data: [DONE]")


def test_the_callers_own_mistake_goes_back_with_its_code_and_nobody_else_is_asked(
    router: Running, standins: Standins
) -> None:
    standins.openai.fault("content_policy", times=1)
    answer = router.chat(model=MODELS["openai"])
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "content_policy_violation"
    assert named(answer, "attempts") == "1"


def test_all_rate_limited_is_a_429_with_the_shortest_wait(router: Running, standins: Standins) -> None:
    for standin, wait in ((standins.openai, "9"), (standins.anthropic, "3"), (standins.gemini, "7")):
        standin.fault("rate_limit", retry_after=wait)
    first = router.chat()
    assert (first.status_code, first.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert first.headers["retry-after"] == "3"
    seen = len(standins.anthropic.requests())
    again = router.chat()
    assert again.status_code == 429
    assert 1 <= int(again.headers["retry-after"]) <= 3
    assert len(standins.anthropic.requests()) == seen


def test_a_wrong_key_is_the_operators_fault(router: Running, standins: Standins) -> None:
    standins.openai.fault("status", status=401, times=1)
    answer = router.chat(model=MODELS["openai"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_auth_failed")


def test_no_provider_sees_anothers_key_nor_the_callers(router: Running, standins: Standins) -> None:
    for model in MODELS.values():
        router.chat(model=model, headers={"Authorization": "Bearer callers-own-secret"})
    keys = {owner: getattr(standins, owner).api_key for owner in MODELS}
    for owner in MODELS:
        seen = json.dumps(getattr(standins, owner).requests())
        assert keys[owner] in seen
        assert "callers-own-secret" not in seen
        assert not any(key in seen for other, key in keys.items() if other != owner)


def test_tools_go_through_every_wire(router: Running) -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    for model in MODELS.values():
        answer = router.chat("Weather in Oslo?", model=model, tools=[tool], tool_choice="required", max_tokens=200)
        assert answer.status_code == 200, answer.text
        choice = answer.json()["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        call = choice["message"]["tool_calls"][0]
        assert call["function"]["name"] == "get_weather"
        assert isinstance(json.loads(call["function"]["arguments"]), dict)


def test_what_a_failed_attempt_cost_is_part_of_the_price_and_booked_where_it_was_sent(
    router: Running, standins: Standins
) -> None:
    standins.anthropic.fault("cut", after_events=8, times=1)
    answer = router.chat(max_tokens=40)
    record = router.ledger.recent(1)[0]
    wasted, answered = record.attempts
    assert wasted.usage is not None
    assert wasted.cost_usd
    assert answered.cost_usd
    assert record.cost_usd == pytest.approx(wasted.cost_usd + answered.cost_usd)
    assert record.usage == answered.usage
    assert float(named(answer, "cost-usd")) == pytest.approx(record.cost_usd, abs=1e-9)
    targets = router.ledger.totals()
    assert targets["anthropic"]["requests"] == 0
    assert targets["anthropic"]["cost_usd"] == pytest.approx(wasted.cost_usd)
