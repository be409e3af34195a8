"""What the wires' tests share: chat requests made of keywords, bodies read back, the errors that wires raise."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_router.errors import ClientError, UpstreamRefused
from llm_router.routing.facts import ChatRequest, read_chat
from llm_router.upstream.wire.base import Piece, Reader, Wire

HI = [{"role": "user", "content": "Hi"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def chat(messages: list[dict[str, Any]] | None = None, **fields: Any) -> ChatRequest:
    return read_chat(json.dumps({"model": "asked", "messages": messages or HI, **fields}).encode())


def sent(wire: Wire, request: ChatRequest, model: str = "m", *, stream: bool = True) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(wire.outgoing(request, model, stream=stream).body)
    return body


def refused_param(wire: Wire, request: ChatRequest) -> str | None:
    """The field that a 400 names."""
    with pytest.raises(ClientError) as raised:
        wire.outgoing(request, "m", stream=True)
    assert raised.value.status == 400
    return raised.value.param


def read_all(reader: Reader, *events: dict[str, Any] | bytes) -> list[Piece]:
    """The pieces of a stream, without those that have no meaning."""
    raw = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    return [piece for event in raw if (piece := reader.read(event)) is not None]


def http_error(wire: Wire, status: int, body: Any, headers: dict[str, str] | None = None) -> UpstreamRefused:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return wire.refused(status, headers or {}, raw)


def raised_in_stream(reader: Reader, event: dict[str, Any]) -> UpstreamRefused:
    with pytest.raises(UpstreamRefused) as raised:
        reader.read(json.dumps(event).encode())
    return raised.value
