"""A real router process whose first target is behind a real toxiproxy: what the network does to answers under way.

Whatever it is, the caller gets an answer in full, or a stream that ends in one typed error; never a piece that looks
like the whole, and never in more time than the timers allow.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from llm_router.demo.standins.delivery import Pace
from tests.router.ports import free_port
from tests.router.processes import Process, answers
from tests.router.routers import MODELS, providers
from tests.router.standins import Standins, running_standins
from tests.router.toxiproxy import Toxiproxy, running_toxiproxy

pytestmark = [pytest.mark.slow, pytest.mark.built]

COMMAND = Path(sys.executable).with_name("llm-router")
PRIMARY, SECOND = "openai", "anthropic"
TOKENS = 30
FIRST_TOKEN_S = BETWEEN_TOKENS_S = 2.0
HANG_S = 30.0
STREAM_OR_NOT = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@dataclass(frozen=True)
class Bench:
    url: str
    way: Toxiproxy
    standins: Standins

    def ask(self, *, stream: bool, model: str = "auto", then: Callable[[], None] = lambda: None) -> httpx.Response:
        """``then`` happens once the answer has begun."""
        messages = [{"role": "user", "content": "Say something long."}]
        body = {"model": model, "messages": messages, "max_tokens": TOKENS, "stream": stream}
        with (
            httpx.Client(timeout=30.0, trust_env=False) as client,
            client.stream("POST", f"{self.url}/v1/chat/completions", json=body) as answer,
        ):
            then()
            answer.read()
        assert answer.elapsed.total_seconds() < HANG_S
        return answer


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("toxics")
    port, config = free_port(), folder / "router.yaml"
    with (
        running_standins(Pace(tokens_per_second=100)) as standins,
        running_toxiproxy(folder, standins.openai.url) as way,
    ):
        first, second = providers(standins, PRIMARY, SECOND)
        everybody = [first | {"baseUrl": way.url, "priority": 1}, second | {"priority": 2}]
        timeouts = {"connect": "5s", "firstToken": f"{FIRST_TOKEN_S}s", "betweenTokens": f"{BETWEEN_TOKENS_S}s"}
        failover = {"circuitBreaker": {"failureThreshold": 1_000_000}}
        router = {"routingStrategy": "priority", "timeouts": timeouts, "failover": failover}
        shown = {"server": {"port": port}, "admin": {"port": 0}, "externalProviders": everybody, "router": router}
        config.write_text(yaml.safe_dump(shown))
        with Process([COMMAND, "serve", "--config", config], folder / "router.log") as process:
            url = f"http://127.0.0.1:{port}"
            process.wait_until(lambda: answers(f"{url}/readyz"))
            yield Bench(url, way, standins)


@pytest.fixture
def bench(started: Bench) -> Iterator[Bench]:
    started.way.heal()
    started.standins.clear()
    yield started
    started.way.heal()


def said(answer: httpx.Response) -> str:
    if "event-stream" not in answer.headers["content-type"]:
        return str(answer.json()["choices"][0]["message"]["content"])
    return "".join(c["delta"].get("content") or "" for event in events(answer) for c in event.get("choices", ()))


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]


def served(bench: Bench, answer: httpx.Response, by: str) -> None:
    """In full, by whom the headers name."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-llm-router-target"] == by
    if "event-stream" in answer.headers["content-type"]:
        assert answer.text.rstrip().endswith("data: [DONE]")
    bench.way.heal()
    assert said(answer) == said(bench.ask(stream=False, model=MODELS[by]))


def interrupted(bench: Bench, answer: httpx.Response) -> None:
    """A stream that began, and ended in the error event."""
    *_, last = events(answer)
    assert last["error"]["code"] == "upstream_interrupted"
    assert "[DONE]" not in answer.text
    bench.way.heal()
    whole = said(bench.ask(stream=False, model=MODELS[PRIMARY]))
    assert whole.startswith(said(answer))
    assert 0 < len(said(answer)) < len(whole)


@STREAM_OR_NOT
def test_latency_below_the_timers_changes_nothing(bench: Bench, stream: bool) -> None:
    bench.way.poison("latency", latency=300, jitter=100)
    served(bench, bench.ask(stream=stream), PRIMARY)


def test_latency_above_the_first_tokens_timer_goes_elsewhere(bench: Bench) -> None:
    bench.way.poison("latency", latency=6000)
    served(bench, bench.ask(stream=True), SECOND)


@STREAM_OR_NOT
def test_a_reset_at_once_goes_elsewhere(bench: Bench, stream: bool) -> None:
    bench.way.poison("reset_peer", timeout=0)
    served(bench, bench.ask(stream=stream), SECOND)


@pytest.mark.parametrize("toxic", ["reset_peer", "timeout"])
def test_a_way_that_breaks_in_the_middle_of_a_stream(bench: Bench, toxic: str) -> None:
    """By a reset, or by swallowing all that follows."""
    bench.standins.openai.fault("stall", after_events=10, times=1)

    def breaks() -> None:
        bench.way.poison(toxic, timeout=0)
        bench.standins.openai.go_on()

    interrupted(bench, bench.ask(stream=True, then=breaks))


def test_a_way_that_swallows_everything_is_waited_for_once(bench: Bench) -> None:
    """Also where a connection was kept open: nothing tells that it leads nowhere now."""
    served(bench, bench.ask(stream=True), PRIMARY)
    bench.way.poison("timeout", timeout=0)
    answer = bench.ask(stream=True)
    assert answer.headers["x-llm-router-attempts"] == "2"
    assert answer.elapsed.total_seconds() >= FIRST_TOKEN_S * 0.9
    served(bench, answer, SECOND)


def test_a_way_that_swallows_everything_and_closes_goes_elsewhere(bench: Bench) -> None:
    bench.way.poison("timeout", timeout=200)
    served(bench, bench.ask(stream=True), SECOND)


@STREAM_OR_NOT
def test_a_close_that_lingers_delays_no_answer(bench: Bench, stream: bool) -> None:
    bench.way.poison("slow_close", delay=60_000)
    served(bench, bench.ask(stream=stream), PRIMARY)


@pytest.mark.parametrize("bytes_", [0, 50, 300], ids="{} bytes".format)
def test_an_answer_cut_before_its_content_goes_elsewhere(bench: Bench, bytes_: int) -> None:
    bench.way.poison("limit_data", bytes=bytes_)
    served(bench, bench.ask(stream=True), SECOND)


@STREAM_OR_NOT
@pytest.mark.parametrize("bytes_", [2500, 4000], ids="{} bytes".format)
def test_an_answer_cut_in_its_middle(bench: Bench, stream: bool, bytes_: int) -> None:
    bench.way.poison("limit_data", bytes=bytes_ if stream else bytes_ // 10)
    answer = bench.ask(stream=stream)
    if stream:
        interrupted(bench, answer)
    else:
        served(bench, answer, SECOND)


@STREAM_OR_NOT
@pytest.mark.parametrize("average_size", [1, 7, 100], ids="slices of {}".format)
def test_sliced_bytes_give_the_same_answer(bench: Bench, stream: bool, average_size: int) -> None:
    bench.way.poison("slicer", average_size=average_size, size_variation=average_size // 2, delay=10)
    served(bench, bench.ask(stream=stream), PRIMARY)


def test_a_request_that_gets_through_in_slices_is_understood(bench: Bench) -> None:
    bench.way.poison("slicer", to_the_upstream=True, average_size=20, size_variation=5, delay=10)
    served(bench, bench.ask(stream=True), PRIMARY)


@STREAM_OR_NOT
def test_a_narrow_way_is_followed_to_its_end(bench: Bench, stream: bool) -> None:
    bench.way.poison("bandwidth", rate=10)
    served(bench, bench.ask(stream=stream), PRIMARY)


@STREAM_OR_NOT
def test_nobody_behind_the_way(bench: Bench, stream: bool) -> None:
    bench.way.close()
    served(bench, bench.ask(stream=stream), SECOND)
