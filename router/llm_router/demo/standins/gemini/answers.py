"""The shape of Gemini's answers: whole, as server-sent events, and as the JSON array that a stream is without them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import uuid4

from ..chat import Answer, Ask
from ..dialect import Frame, Stream, dump, load_object
from ..models import GeminiModel
from ..text import count_tokens

JSON = "application/json; charset=UTF-8"

_WORDS_PER_FRAME = 4

Chunk = tuple[dict[str, Any], int]
"""A response and the tokens that it brings."""


def whole(ask: Ask, model: GeminiModel, said: Answer) -> dict[str, Any]:
    return _response(ask, model, _parts(said, said.text), said.tokens, _finish(said))


def chunks(ask: Ask, model: GeminiModel, said: Answer) -> Iterator[Chunk]:
    """Several words a response, the running usage in each, and the finish reason in a last one without text."""
    response_id, spoken = uuid4().hex[:22], ""
    batches: Iterable[Sequence[str]] = [[said.text]] if said.tool else _batched(said.pieces, _WORDS_PER_FRAME)
    for batch in batches:
        text = "".join(batch)
        spoken += text
        tokens = said.tokens if said.tool else count_tokens(spoken)
        yield _response(ask, model, _parts(said, text), tokens, None, response_id), count_tokens(text)
    yield _response(ask, model, [{"text": ""}], said.tokens, _finish(said), response_id), 0


def blocked(model: GeminiModel) -> dict[str, Any]:
    """How Gemini refuses a prompt for what it says: status 200, a reason, and no candidates."""
    return {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 1},
        "modelVersion": model.name,
        "responseId": uuid4().hex[:22],
    }


def token_count(tokens: int) -> dict[str, Any]:
    return {"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]}


def as_events(responses: Sequence[Chunk]) -> Stream:
    """Google ends its lines with CR LF. The stream has no end marker but the finish reason of the last event."""
    last = len(responses) - 1
    return Stream(
        frames=[
            Frame(data=b"data: " + dump(response) + b"\r\n\r\n", tokens=tokens, terminal=index == last)
            for index, (response, tokens) in enumerate(responses)
        ]
    )


def as_array(responses: Sequence[Chunk]) -> Stream:
    frames = [
        Frame(data=(b",\r\n" if index else b"[") + dump(response), tokens=tokens)
        for index, (response, tokens) in enumerate(responses)
    ]
    return Stream(frames=[*frames, Frame(data=b"]\n", terminal=True)], content_type=JSON)


def _response(
    ask: Ask,
    model: GeminiModel,
    parts: Sequence[dict[str, Any]],
    tokens: int,
    finish: str | None,
    response_id: str | None = None,
) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": ask.prompt_tokens,
            "candidatesTokenCount": tokens,
            "totalTokenCount": ask.prompt_tokens + tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": ask.prompt_tokens}],
        },
        "modelVersion": model.name,
        "responseId": response_id or uuid4().hex[:22],
    }


def _parts(said: Answer, text: str) -> list[dict[str, Any]]:
    if said.tool is None:
        return [{"text": text}]
    try:
        arguments = load_object(said.text.encode())
    except ValueError:  # cut by maxOutputTokens
        return [{"text": ""}]
    return [{"functionCall": {"name": said.tool.name, "args": arguments}}]


def _finish(said: Answer) -> str:
    return "MAX_TOKENS" if said.stop == "length" else "STOP"


def _batched(pieces: Sequence[str], size: int) -> Iterator[list[str]]:
    rest = iter(pieces)
    while batch := list(islice(rest, size)):
        yield batch
