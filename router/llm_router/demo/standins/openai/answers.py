"""The shape of OpenAI's chat answers, whole and streamed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any
from uuid import uuid4

from ..chat import Answer
from ..dialect import Frame, dump
from ..models import OpenAIModel
from ..text import count_tokens
from .request import Call

_OBFUSCATED_SIZE = 24


def completion(call: Call, model: OpenAIModel, answers: Sequence[Answer]) -> dict[str, Any]:
    choices = [_choice(index, call, said) for index, said in enumerate(answers)]
    return {**_envelope("chat.completion", model), "choices": choices, "usage": _usage(call, answers)}


def frames(call: Call, model: OpenAIModel, answers: Sequence[Answer]) -> Iterator[Frame]:
    """Role chunks first, content word by word, finish reasons, the usage chunk where asked for, ``[DONE]``."""
    envelope = _envelope("chat.completion.chunk", model)
    usage: dict[str, Any] = {"usage": None} if call.include_usage else {}

    def chunk(index: int, delta: dict[str, Any], finish: str | None = None, tokens: int = 0) -> Frame:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        body = {**envelope, "choices": [choice], **usage}
        if call.obfuscate:
            size = len(delta.get("content") or "")
            body["obfuscation"] = uuid4().hex[: max(1, _OBFUSCATED_SIZE - size)]
        return Frame(data=b"data: " + dump(body) + b"\n\n", tokens=tokens)

    for index, said in enumerate(answers):
        yield chunk(index, _opening(said))
    for row in zip_longest(*(said.pieces for said in answers)):
        for index, (piece, said) in enumerate(zip(row, answers, strict=True)):
            if piece is not None:
                yield chunk(index, _delta(said, piece), tokens=count_tokens(piece))
    for index, said in enumerate(answers):
        yield chunk(index, {}, _finish(call, said))
    if call.include_usage:
        yield Frame(data=b"data: " + dump({**envelope, "choices": [], "usage": _usage(call, answers)}) + b"\n\n")
    yield Frame(data=b"data: [DONE]\n\n", terminal=True)


def _envelope(kind: str, model: OpenAIModel) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": model.snapshot,
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _finish(call: Call, said: Answer) -> str:
    # A tool forced by name ends with "stop", one that is merely required with "tool_calls" (structured outputs guide).
    if said.stop == "tool":
        return "stop" if call.named_tool else "tool_calls"
    return "length" if said.stop == "length" else "stop"


def _choice(index: int, call: Call, said: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": None, "annotations": []}
    if said.tool is not None:
        message |= {"content": None, "tool_calls": [_tool_call(said.tool.name, said.text)]}
    return {"index": index, "message": message, "logprobs": None, "finish_reason": _finish(call, said)}


def _tool_call(name: str, arguments: str) -> dict[str, Any]:
    return {"id": f"call_{uuid4().hex[:24]}", "type": "function", "function": {"name": name, "arguments": arguments}}


def _usage(call: Call, answers: Sequence[Answer]) -> dict[str, Any]:
    completion = sum(said.tokens for said in answers)
    return {
        "prompt_tokens": call.ask.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": call.ask.prompt_tokens + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _opening(said: Answer) -> dict[str, Any]:
    if said.tool is None:
        return {"role": "assistant", "content": "", "refusal": None}
    call = {"index": 0, **_tool_call(said.tool.name, "")}
    return {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None}


def _delta(said: Answer, piece: str) -> dict[str, Any]:
    if said.tool is None:
        return {"content": piece}
    return {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
