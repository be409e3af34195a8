"""The shape of Anthropic's answers, whole and streamed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from ..chat import Answer
from ..dialect import Frame, dump, load_object
from ..models import AnthropicModel
from ..text import count_tokens
from .request import Call

PING = b'event: ping\ndata: {"type":"ping"}\n\n'

_STOP_REASONS = {"end": "end_turn", "length": "max_tokens", "sequence": "stop_sequence", "tool": "tool_use"}


def message(call: Call, model: AnthropicModel, said: Answer) -> dict[str, Any]:
    return {
        **_envelope(model, _usage(call, said.tokens)),
        "content": [_block(said)] if said.text or said.tool else [],
        "stop_reason": _STOP_REASONS[said.stop],
        "stop_sequence": said.sequence,
    }


def frames(call: Call, model: AnthropicModel, said: Answer) -> Iterator[Frame]:
    """Named events; a ping after the block's start, as the real API sends; usage at both ends; ``message_stop``."""
    yield _event("message_start", {"message": _envelope(model, _usage(call, 1))})
    if said.text or said.tool:
        opening: dict[str, Any] = {"type": "text", "text": ""}
        if said.tool is not None:
            opening = {"type": "tool_use", "id": _tool_id(), "name": said.tool.name, "input": {}}
        yield _event("content_block_start", {"index": 0, "content_block": opening})
        yield Frame(data=PING)
        for piece in said.pieces:
            delta = {"type": "input_json_delta", "partial_json": piece}
            if said.tool is None:
                delta = {"type": "text_delta", "text": piece}
            yield _event("content_block_delta", {"index": 0, "delta": delta}, tokens=count_tokens(piece))
        yield _event("content_block_stop", {"index": 0})
    stop = {"stop_reason": _STOP_REASONS[said.stop], "stop_sequence": said.sequence}
    usage = {
        "input_tokens": call.ask.prompt_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": said.tokens,
    }
    yield _event("message_delta", {"delta": stop, "usage": usage})
    yield _event("message_stop", {}, terminal=True)


def _envelope(model: AnthropicModel, usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"msg_{uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": model.name,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _usage(call: Call, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": call.ask.prompt_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def _block(said: Answer) -> dict[str, Any]:
    if said.tool is None:
        return {"type": "text", "text": said.text}
    try:
        arguments = load_object(said.text.encode())
    except ValueError:  # cut by max_tokens
        arguments = {}
    return {"type": "tool_use", "id": _tool_id(), "name": said.tool.name, "input": arguments}


def _tool_id() -> str:
    return f"toolu_{uuid4().hex[:24]}"


def _event(name: str, body: dict[str, Any], *, tokens: int = 0, terminal: bool = False) -> Frame:
    data = dump({"type": name, **body})
    return Frame(data=f"event: {name}\ndata: ".encode() + data + b"\n\n", tokens=tokens, terminal=terminal)
