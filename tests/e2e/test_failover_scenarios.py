"""The sixteen failover scenarios, as the client sees them: how long, what body, which headers, what the ledger says.

Three ways to ask: whole, streamed, and streamed with answers held back (``midStream: buffer``). In the last everything
that can be served is served in full; live streams that break after the first token end in one clean, typed error.
The primary is the OpenAI stand-in, the Anthropic one follows, then Gemini's; all real servers on real sockets.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import pytest

from llm_router.demo.standins.anthropic import Anthropic
from llm_router.demo.standins.anthropic.errors import refused
from llm_router.demo.standins.delivery import Pace
from llm_router.demo.standins.dialect import Reply, Request
from llm_router.execution import attempts
from llm_router.pricing.records import Record
from tests.router.routers import MODELS, Running, providers, running_router
from tests.router.standins import Standin, Standins, running_standins

Mode = Literal["whole", "streamed", "buffered"]
Texts = Mapping[str, str]
MODES: tuple[Mode, ...] = ("whole", "streamed", "buffered")
PRIMARY, SECOND, THIRD = "openai", "anthropic", "gemini"

FIRST_TOKEN_S, BETWEEN_TOKENS_S = 1.0, 1.0
HANG_S = 20.0
"""Every fault below is silent for longer, so whoever answers within this has not waited for it to end."""
FOR_EVER_S = 30.0
pytestmark = pytest.mark.e2e

PROMPT = "Tell me about the rivers of Europe."


class WithoutPrefill(Anthropic):
    """A model that does not go on with a beginning of its answer."""

    def reply(self, request: Request) -> Reply:
        if request.path == "/v1/messages" and json.loads(request.body)["messages"][-1]["role"] == "assistant":
            raise refused("This model does not support assistant message prefill.")
        return super().reply(request)


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins(Pace(tokens_per_second=2000), anthropic=WithoutPrefill()) as running:
        yield running


@dataclass
class Bench:
    """A router in front of the stand-ins, asked in one mode."""

    router: Running
    standins: Standins
    mode: Mode

    @property
    def primary(self) -> Standin:
        return self.standins.openai

    def ask(self, text: str = PROMPT, **fields: Any) -> Seen:
        began = time.monotonic()
        asked: dict[str, Any] = {"max_tokens": 40} | fields
        if self.mode != "whole":
            asked |= {"stream": True, "stream_options": {"include_usage": True}}
        answer = self.router.chat(text, **asked)
        return Seen(answer, time.monotonic() - began, self.router.ledger.recent(1)[0])

    @property
    def live(self) -> bool:
        return self.mode == "streamed"


@dataclass
class Seen:
    """What the client got, and the ledger's record of it."""

    answer: httpx.Response
    took_s: float
    record: Record

    @property
    def is_stream(self) -> bool:
        return self.answer.headers["content-type"].startswith("text/event-stream")

    @property
    def events(self) -> list[dict[str, Any]]:
        lines = [line[6:] for line in self.answer.text.splitlines() if line.startswith("data: ")]
        return [json.loads(line) for line in lines if line != "[DONE]"]

    @property
    def text(self) -> str:
        if not self.is_stream:
            return str(self.answer.json()["choices"][0]["message"]["content"])
        return "".join(c["delta"].get("content") or "" for event in self.events for c in event.get("choices", ()))

    @property
    def usage(self) -> dict[str, int]:
        """The one that was reported; there must not be two."""
        (usage,) = [e["usage"] for e in self.events if e.get("usage")] if self.is_stream else [self.body["usage"]]
        return dict(usage)

    @property
    def body(self) -> dict[str, Any]:
        return dict(self.answer.json())

    def named(self, name: str) -> str:
        return str(self.answer.headers[f"x-llm-router-{name}"])

    def outcomes(self) -> list[tuple[str, str]]:
        return [(attempt.target, attempt.outcome) for attempt in self.record.attempts]


def served(seen: Seen, by: str, texts: Texts) -> None:
    """In full, by whom the headers and the ledger name, at that model's price."""
    assert seen.answer.status_code == 200, seen.answer.text
    assert seen.took_s < HANG_S
    assert seen.text == texts[by]
    if seen.is_stream:
        assert seen.answer.text.rstrip().endswith("data: [DONE]")
        assert not any("error" in event for event in seen.events)
        assert sum(1 for event in seen.events for c in event["choices"] if c.get("finish_reason")) == 1
    assert (seen.named("target"), seen.named("model")) == (by, MODELS[by])
    assert seen.named("request-id") == seen.record.request_id
    assert int(seen.named("attempts")) == len(seen.record.attempts)
    record = seen.record
    assert (record.target, record.model, record.status) == (by, MODELS[by], 200)
    assert record.attempts[-1].outcome == "ok"
    assert seen.usage["completion_tokens"] == record.usage.output_tokens > 0
    assert record.cost_usd
    assert record.cost_usd == pytest.approx(sum(attempt.cost_usd or 0.0 for attempt in record.attempts))


def ended_cleanly(seen: Seen, texts: Texts) -> None:
    """A live stream that broke: what came, then one typed error, and nothing that looks like an end."""
    assert seen.answer.status_code == 200
    assert seen.took_s < HANG_S
    *content, last = seen.events
    assert last["error"]["code"] == "upstream_interrupted"
    assert last["error"]["type"] == "api_error"
    assert not any("error" in event for event in content)
    assert "[DONE]" not in seen.answer.text
    assert texts[PRIMARY].startswith(seen.text)
    assert 0 < len(seen.text) < len(texts[PRIMARY])
    record = seen.record
    assert (record.target, record.status) == (PRIMARY, 502)
    assert record.usage.output_tokens > 0
    assert record.cost_usd
    assert len(record.attempts) == 1


@contextmanager
def bench(standins: Standins, mode: Mode, rules: Sequence[Any] = (), **router: Any) -> Iterator[Bench]:
    standins.clear()
    everybody = providers(standins, PRIMARY, SECOND, THIRD)
    for number, provider in enumerate(everybody, 1):
        provider["priority"] = number
    timeouts = {"firstToken": f"{FIRST_TOKEN_S * 1000:.0f}ms", "betweenTokens": f"{BETWEEN_TOKENS_S * 1000:.0f}ms"}
    failover = {"midStream": "buffer" if mode == "buffered" else "error"} | router.pop("failover", {})
    settings = {"routingStrategy": "priority", "timeouts": timeouts, "failover": failover} | router
    with running_router({"externalProviders": everybody, "router": settings, "rules": [*rules]}) as running:
        yield Bench(running, standins, mode)


@pytest.fixture(params=MODES)
def asking(request: pytest.FixtureRequest, standins: Standins) -> Iterator[Bench]:
    with bench(standins, request.param) as running:
        yield running


@pytest.fixture(scope="module")
def texts(standins: Standins) -> Texts:
    """What each of them answers to the prompt in full."""
    with bench(standins, "whole") as running:
        return {owner: running.ask(model=MODELS[owner]).text for owner in MODELS}


# ---------------------------------------------------------------- refusals before anything came


def test_s01_a_rate_limit_is_served_elsewhere_and_its_retry_after_is_kept(asking: Bench, texts: Texts) -> None:
    asking.primary.fault("rate_limit", times=1, retry_after="1")
    limited_at = time.monotonic()
    served(asking.ask(), SECOND, texts)
    while (seen := asking.ask()).named("target") != PRIMARY:
        served(seen, SECOND, texts)
        assert time.monotonic() - limited_at < HANG_S
        time.sleep(0.05)
    assert time.monotonic() - limited_at >= 0.98
    served(seen, PRIMARY, texts)


def test_s02_a_persistent_rate_limit_is_asked_once_and_then_left_alone(asking: Bench, texts: Texts) -> None:
    asking.primary.fault("rate_limit", retry_after="30")
    first = asking.ask()
    served(first, SECOND, texts)
    assert first.outcomes() == [(PRIMARY, "status"), (SECOND, "ok")]
    for _ in range(4):
        served(asking.ask(), SECOND, texts)
    assert len(asking.primary.requests()) == 1


def test_s03_a_single_500_costs_one_more_try_at_the_same_target(asking: Bench, texts: Texts) -> None:
    asking.primary.fault("status", status=500, times=1)
    seen = asking.ask()
    served(seen, PRIMARY, texts)
    assert seen.outcomes() == [(PRIMARY, "status"), (PRIMARY, "ok")]


def test_s04_a_persistent_503_is_served_elsewhere_until_nobody_bothers_to_ask(asking: Bench, texts: Texts) -> None:
    asking.primary.fault("status", status=503)
    first = asking.ask()
    served(first, SECOND, texts)
    assert first.outcomes() == [(PRIMARY, "status"), (PRIMARY, "status"), (SECOND, "ok")]
    for _ in range(5):
        served(asking.ask(), SECOND, texts)
    assert len(asking.primary.requests()) == 5  # the fifth failure in a row opened the breaker


def test_s05_a_reset_before_the_headers_is_invisible(asking: Bench, texts: Texts) -> None:
    asking.primary.fault("reset")
    seen = asking.ask()
    served(seen, SECOND, texts)
    assert seen.outcomes()[-1] == (SECOND, "ok")
    assert {outcome for _, outcome in seen.outcomes()[:-1]} == {"reset"}


# ---------------------------------------------------------------- silence


def test_s06_a_silent_target_is_waited_for_once(asking: Bench, texts: Texts) -> None:
    asking.primary.fault("silence", seconds=FOR_EVER_S)
    # A whole answer is silent until it is complete: the timer is longer by the time that its tokens may take.
    seen = asking.ask(max_tokens=40)
    served(seen, SECOND, texts)
    assert seen.outcomes() == [(PRIMARY, "timeout"), (SECOND, "ok")]
    assert seen.took_s >= FIRST_TOKEN_S * 0.9
    assert len(asking.primary.requests()) == 1


def test_s07_headers_and_pings_are_no_first_token(asking: Bench, texts: Texts) -> None:
    asking.primary.fault("slow_first_token", seconds=FOR_EVER_S, ping_s=0.05)
    seen = asking.ask()
    served(seen, SECOND, texts)
    assert seen.outcomes() == [(PRIMARY, "timeout"), (SECOND, "ok")]


# ---------------------------------------------------------------- broken streams


@pytest.mark.parametrize("how", ["chunked", "eof", "reset"])
def test_s08_a_cut_stream(asking: Bench, texts: Texts, how: str) -> None:
    asking.primary.fault("cut", after_events=15, how=how)
    broken(asking, texts)


def test_s09_a_stalled_stream(asking: Bench, texts: Texts) -> None:
    asking.primary.fault("stall", after_events=15, seconds=FOR_EVER_S)
    broken(asking, texts)


def test_s10_a_malformed_chunk(asking: Bench, texts: Texts) -> None:
    asking.primary.fault("malformed", after_events=15)
    broken(asking, texts)


def broken(asking: Bench, texts: Texts) -> None:
    seen = asking.ask()
    if asking.live:
        ended_cleanly(seen, texts)
        return
    served(seen, SECOND, texts)
    assert [target for target, _ in seen.outcomes()] == [PRIMARY, SECOND]
    if asking.mode == "buffered":
        assert seen.record.attempts[0].usage is not None, "what the broken attempt generated is charged for"


def test_s11_a_stream_without_its_end_marker_is_complete(asking: Bench, texts: Texts) -> None:
    asking.primary.fault("no_done", seconds=FOR_EVER_S)
    seen = asking.ask()
    served(seen, PRIMARY, texts)
    assert seen.took_s < 8.0


def test_an_answer_that_is_too_long_to_be_held_back_goes_on_live(
    standins: Standins, texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "MAX_BUFFERED_BYTES", 1500)
    with bench(standins, "buffered") as asking:
        served(asking.ask(), PRIMARY, texts)
        asking.primary.fault("cut", after_events=15)
        ended_cleanly(asking.ask(), texts)


def test_a_rule_says_whose_answers_are_held_back(standins: Standins, texts: Texts) -> None:
    rule = {"name": "reports", "conditions": [{"type": "header", "header": "X-Report"}], "midStream": "buffer"}
    with bench(standins, "streamed", rules=[rule]) as asking:
        asking.primary.fault("cut", after_events=15)
        ended_cleanly(asking.ask(), texts)
        served(asking.ask(headers={"X-Report": "1"}), SECOND, texts)


# ---------------------------------------------------------------- refusals for a reason


def test_s12_a_context_overflow_goes_to_a_larger_window(asking: Bench, texts: Texts) -> None:
    asking.primary.fault("context_overflow")
    windows = {"openai": 8_000, "anthropic": 4_000, "gemini": 100_000}
    for provider in asking.router.config["externalProviders"]:
        provider["models"] = [{"name": MODELS[provider["name"]], "contextLength": windows[provider["name"]]}]
    assert asking.router.admin.post("/admin/reload").status_code == 200
    seen = asking.ask()
    served(seen, THIRD, texts)
    assert seen.outcomes() == [(PRIMARY, "status"), (THIRD, "ok")]


def test_s13_a_refusal_by_content_policy_is_not_routed_around(asking: Bench) -> None:
    asking.primary.fault("content_policy")
    seen = asking.ask()
    assert (seen.answer.status_code, seen.body["error"]["code"]) == (400, "content_policy_violation")
    assert seen.outcomes() == [(PRIMARY, "status")]
    assert seen.record.cost_usd in (None, 0.0)
    assert asking.standins.anthropic.requests() == asking.standins.gemini.requests() == []


def test_s14_a_fallback_that_takes_no_prefill_is_never_given_one(asking: Bench, texts: Texts) -> None:
    asking.primary.fault("cut", after_events=15)
    broken(asking, texts)
    asked = [json.loads(request["body"])["messages"] for request in asking.standins.anthropic.requests()]
    assert [[message["role"] for message in messages] for messages in asked] == ([] if asking.live else [["user"]])


def test_s14_a_prefill_of_the_callers_own_that_a_fallback_refuses_ends_in_one_typed_error(asking: Bench) -> None:
    asking.primary.fault("status", status=503)
    begun = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": "The Danube"}]
    seen = asking.ask(messages=begun)
    assert seen.answer.status_code == 400
    assert seen.body["error"]["type"] == "invalid_request_error"
    assert "prefill" in seen.body["error"]["message"]
    assert seen.outcomes()[-1] == (SECOND, "status")


# ---------------------------------------------------------------- outage, recovery, accounting


@pytest.mark.parametrize("mode", MODES)
def test_s15_an_outage_is_served_throughout_and_ends_soon_after(standins: Standins, mode: Mode, texts: Texts) -> None:
    breaker = {"failureThreshold": 3, "successThreshold": 2, "timeout": "1s"}
    with bench(standins, mode, failover={"circuitBreaker": breaker}) as asking:
        asking.primary.fault("status", status=503)
        during = [asking.ask() for _ in range(15)]
        for seen in during:
            served(seen, SECOND, texts)
        assert len(asking.primary.requests()) < len(during), "an open breaker spares the target"
        asking.primary.clear()
        until(lambda: asking.ask().named("target") == PRIMARY)
        served(asking.ask(), PRIMARY, texts)


def until(true: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + HANG_S
    while not true():
        assert time.monotonic() < ends_at
        time.sleep(0.02)


def test_s16_accounting_names_the_fallback_and_its_price(asking: Bench, texts: Texts) -> None:
    served(asking.ask(), PRIMARY, texts)
    at_home = asking.ask().record
    asking.primary.fault("status", status=401)
    seen = asking.ask()
    served(seen, SECOND, texts)
    assert seen.named("reason") == "fallback_external"
    answered = seen.events[0] if seen.is_stream else seen.body
    assert answered["model"].startswith(MODELS[SECOND])
    assert seen.record.cost_usd != at_home.cost_usd
    totals = asking.router.ledger.totals()
    assert (totals[PRIMARY]["requests"], totals[SECOND]["requests"]) == (2, 1)
    metrics = asking.router.admin.get("/metrics").text
    assert f'llm_router_failovers_total{{from="{PRIMARY}",reason="status",to="{SECOND}"}} 1.0' in metrics
