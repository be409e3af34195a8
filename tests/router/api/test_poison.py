"""A request of a wrong form is its caller's fault: however often it is sent, it opens no breaker of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.router.llama import Llama
from tests.router.routers import Running, running_router
from tests.router.test_app import eventually

CALL = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
MALFORMED: dict[str, dict[str, Any]] = {
    "a name that is a number": {"messages": [{"role": "user", "content": "Hi", "name": 5}]},
    "a part without its text": {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
    "a part of no text": {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
    "reasoning of no text": {"messages": [{"role": "user", "content": "Hi", "reasoning_content": 5}]},
    "a call that is none": {"messages": [{"role": "assistant", "content": "", "tool_calls": [5]}]},
    "a call of nothing": {"messages": [{"role": "assistant", "content": "", "tool_calls": [{"type": "function"}]}]},
    "a call with a number for its id": {"messages": [{"role": "assistant", "tool_calls": [CALL | {"id": 5}]}]},
    "an answer of a tool to a number": {"messages": [{"role": "tool", "content": "Hi", "tool_call_id": 5}]},
    "a tool that is none": {"tools": [5]},
    "a tool with a number for its name": {"tools": [{"type": "function", "function": {"name": 5}}]},
    "a grammar that is none": {"grammar": "root ::= ("},
    "a schema that is none": {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "nope"}}}},
    "stops that are none": {"stop": [1, 2]},
    "a temperature in words": {"temperature": "hot"},
}


@pytest.fixture(scope="module")
def router(llama: Llama) -> Iterator[Running]:
    cluster = {
        "name": "own",
        "endpoint": llama.url,
        "authType": "bearer",
        "apiKey": llama.api_key,
        "models": [{"name": llama.model, "contextLength": 2048}],
        "capabilities": ["tools"],
        "costPerHour": 0.1,
        "capacity": {"slots": 4, "decodeTokensPerSecond": 100},
    }
    with running_router({"clusters": [cluster]}) as running:
        eventually(lambda: running.client.get("/health").json()["healthy_clusters"] == 1)
        yield running


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fields", MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_refused_and_opens_no_breaker(
    router: Running, fields: dict[str, Any], stream: bool
) -> None:
    sound = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "stream": stream}
    for _ in range(3):
        answer = router.client.post("/v1/chat/completions", json=sound | fields)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["type"] == "invalid_request_error"
    view = router.app.generation().board.view("own")
    assert (view.retry_reason, view.failed_at) == ("", float("-inf"))
    assert router.chat().status_code == 200
