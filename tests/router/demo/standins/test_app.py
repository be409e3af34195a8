"""What a stand-in remembers, how it is controlled, and that it notices when its caller leaves."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from llm_router.demo.standins.delivery import Pace
from tests.router.standins import Standin, Standins, running_standins

from .raw import ask, chat, connect


@pytest.fixture
def openai(standins: Standins) -> Standin:
    return standins.openai


def test_requests_are_remembered_with_credentials_and_body(openai: Standin) -> None:
    ask(openai, "openai", stream=False)
    [request] = openai.requests()
    path, headers, body = chat("openai", stream=False)
    assert (request["method"], request["path"], json.loads(request["body"])) == ("POST", path, body)
    assert ["authorization", headers["authorization"]] in request["headers"]
    assert (request["status"], request["outcome"], request["fault"]) == (200, "complete", None)
    assert time.time() - 60 < request["at"] <= time.time()


def test_refused_requests_are_remembered_too(openai: Standin) -> None:
    httpx.get(f"{openai.url}/v1/models?limit=3", headers={"authorization": "Bearer somebody-else"})
    [request] = openai.requests()
    assert (request["path"], request["query"], request["status"]) == ("/v1/models", "limit=3", 401)


def test_control_requests_are_not_remembered(openai: Standin) -> None:
    openai.fault("status", times=1)
    assert openai.requests() == openai.requests() == []


def test_only_the_last_requests_are_kept(openai: Standin) -> None:
    with httpx.Client() as client:
        for number in range(520):
            client.get(f"{openai.url}/v1/models?n={number}")
    seen = openai.requests()
    assert (len(seen), seen[-1]["query"]) == (512, "n=519")


@pytest.mark.parametrize(
    "fault",
    [b"{", b"{}", b'{"kind": "nap"}', b'{"kind": "status", "status": 200}', b'{"kind": "cut", "after": 1}', b"[]"],
)
def test_what_is_no_fault_is_refused(openai: Standin, fault: bytes) -> None:
    answer = httpx.post(f"{openai.url}/__standin__/fault", content=fault)
    assert answer.status_code == 400
    assert "not a fault" in answer.json()["error"]


def test_an_unknown_control_is_refused(openai: Standin) -> None:
    assert httpx.get(f"{openai.url}/__standin__/mood").status_code == 404


def test_faults_leave_lists_of_models_alone_unless_told(openai: Standin) -> None:
    url, headers = f"{openai.url}/v1/models", {"authorization": f"Bearer {openai.api_key}"}
    openai.fault("status", status=503, times=1)
    assert httpx.get(url, headers=headers).status_code == 200
    assert ask(openai, "openai").status == 503
    openai.fault("status", status=503, everywhere=True)
    assert httpx.get(url, headers=headers).status_code == 503


def test_a_refused_request_is_refused_whatever_the_fault_would_have_done(openai: Standin) -> None:
    openai.fault("cut", after_events=1)
    answer = httpx.post(f"{openai.url}/v1/chat/completions", headers={"authorization": "Bearer wrong"}, json={})
    assert answer.status_code == 401


@pytest.mark.parametrize(("name", "status"), [("openai", 413), ("anthropic", 413), ("gemini", 400)])
def test_a_huge_body_is_refused(standins: Standins, name: str, status: int) -> None:
    standin = getattr(standins, name)
    path, headers, _ = chat(name, stream=False)
    answer = httpx.post(standin.url + path, headers=headers, content=b" " * (32 * 1024 * 1024 + 1), timeout=30)
    assert (answer.status_code, standin.requests()[-1]["status"]) == (status, status)


def test_a_caller_who_leaves_while_words_come_is_noticed() -> None:
    with running_standins(Pace(tokens_per_second=50)) as standins:
        path, headers, body = chat("openai", stream=True)
        body["messages"] = [{"role": "user", "content": "Explain everything."}]
        with (
            httpx.Client() as client,
            client.stream("POST", standins.openai.url + path, headers=headers, json=body) as answer,
        ):
            next(answer.iter_lines())
        [request] = standins.openai.settled()
    assert (request["outcome"], request["status"]) == ("left", 200)
    assert request["events"] < 30


def test_a_caller_who_leaves_in_mid_request_leaves_no_trace_of_an_answer(openai: Standin) -> None:
    with connect(openai) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        while not openai.requests():
            time.sleep(0.01)
    [request] = openai.settled()
    assert (request["outcome"], request["status"]) == ("left", None)


def test_the_pace_is_kept_streamed_or_not() -> None:
    """A stream has its headers at once and its words in time; a document comes when its last word would."""
    pace = Pace(tokens_per_second=100, first_token_s=0.5)
    with running_standins(pace) as standins:
        role_s, words_s, streamed_s, tokens = _timed(standins.openai, stream=True)
        whole_s, _, _, same_tokens = _timed(standins.openai, stream=False)
    due_s = pace.due_s(tokens)
    assert tokens == same_tokens
    assert words_s >= 0.45
    assert role_s < words_s - 0.2
    assert streamed_s >= due_s - 0.1
    assert whole_s >= due_s - 0.1


def _timed(standin: Standin, *, stream: bool) -> tuple[float, float, float, int]:
    """Seconds until the first, second and last line of the body, and the tokens of the answer."""
    path, headers, body = chat("openai", stream=stream)
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if stream else {}
    lines, times, began = [], [], time.monotonic()
    with (
        httpx.Client() as client,
        client.stream("POST", standin.url + path, headers=headers, json={**body, **options}) as answer,
    ):
        for line in answer.iter_lines():
            if line:
                lines.append(line.removeprefix("data: "))
                times.append(time.monotonic() - began)
    said = json.loads(lines[-2] if stream else lines[0])
    return times[0], times[min(1, len(times) - 1)], times[-1], said["usage"]["completion_tokens"]
