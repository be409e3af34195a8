"""What an upstream says of its tokens is believed where it can be true; else the record is an estimate, marked so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.router.edge import served
from tests.router.routers import Running, running_router

PRICE = {"inputPer1k": 0.001, "outputPer1k": 0.002}


class Liar:
    """Answers "Hello there" in OpenAI's way, and says ``usage`` of it, in a stream as in a whole answer."""

    usage: Any = None

    async def answer(self, request: Request) -> Response:
        head = {"id": "chatcmpl-1", "created": 1, "model": "liar-1"}
        if not (await request.json()).get("stream"):
            message = {"role": "assistant", "content": "Hello there"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": self.usage})
        deltas: list[dict[str, Any]] = [{"content": "Hello "}, {"content": "there"}, {}]
        events: list[dict[str, Any]] = [
            {"choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}]} for delta in deltas
        ]
        events.append({"choices": [], "usage": self.usage})
        lines = [json.dumps({**head, "object": "chat.completion.chunk", **event}) for event in events]
        text = "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"])
        return Response(text, media_type="text/event-stream")


@pytest.fixture(scope="module")
def liar() -> Liar:
    return Liar()


@pytest.fixture(scope="module")
def router(liar: Liar) -> Iterator[Running]:
    app = Starlette(routes=[Route("/v1/chat/completions", liar.answer, methods=["POST"])])
    with served(app) as (host, port):
        provider = {
            "name": "liar",
            "type": "openai-compatible",
            "apiKey": "liar-key-0123456789",
            "baseUrl": f"http://{host}:{port}/v1",
            "models": [{"name": "liar-1", "contextLength": 8192}],
            "price": PRICE,
            "healthCheck": {"enabled": False},
        }
        with running_router({"externalProviders": [provider]}) as running:
            yield running


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "usage",
    [
        pytest.param(None, id="missing"),
        pytest.param({}, id="empty"),
        pytest.param({"prompt_tokens": 10**12, "completion_tokens": 3}, id="a trillion"),
        pytest.param({"prompt_tokens": 10, "completion_tokens": -3}, id="negative"),
        pytest.param({"prompt_tokens": "many", "completion_tokens": 3}, id="no number"),
        pytest.param({"prompt_tokens": 1.5, "completion_tokens": 3}, id="a half token"),
        pytest.param({"prompt_tokens": 2**64 + 1, "completion_tokens": 3}, id="beyond 64 bits"),
        pytest.param({"prompt_tokens": 10, "completion_tokens": 9_000_000}, id="far beyond the window"),
    ],
)
def test_it_becomes_a_marked_estimate(router: Running, liar: Liar, usage: Any, stream: bool) -> None:
    liar.usage = usage
    before = estimates(router)
    answer = router.chat(stream=stream)
    assert answer.status_code == 200
    record = router.ledger.recent(1)[0]
    assert record.usage.estimated
    assert 1 <= record.usage.input_tokens < 100
    assert 1 <= record.usage.output_tokens < 200
    assert record.cost_usd is not None
    assert 0 < record.cost_usd < 0.001
    assert estimates(router) == before + 1


@pytest.mark.parametrize("stream", [False, True])
def test_what_can_be_true_is_believed(router: Running, liar: Liar, stream: bool) -> None:
    liar.usage = {"prompt_tokens": 10, "completion_tokens": 3}
    before = estimates(router)
    assert router.chat(stream=stream).status_code == 200
    record = router.ledger.recent(1)[0]
    assert (record.usage.input_tokens, record.usage.output_tokens, record.usage.estimated) == (10, 3, False)
    assert record.cost_usd == 0.000016
    assert estimates(router) == before


def estimates(router: Running) -> float:
    value = router.app.generation().metrics.registry.get_sample_value(
        "llm_router_estimated_usage_total", {"target": "liar"}
    )
    return value or 0.0
