"""OpenAI's chat answers, made: chunks for a caller who streams, a whole completion for one who does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from ...errors import UpstreamBroken
from ...model import Finish, Usage
from .base import Piece
from .usage import to_openai

_encode = msgspec.json.Encoder().encode


def chunk(piece: Piece, *, id: str, created: int, model: str) -> bytes:
    """A ``chat.completion.chunk`` for a piece that has no bytes of its own. ``created`` is Unix time in seconds."""
    choice = {"index": 0, "delta": piece.delta or {}, "logprobs": None, "finish_reason": piece.finish}
    return _encode(_chunk([choice], id, created, model))


def usage_chunk(usage: Usage, *, id: str, created: int, model: str) -> bytes:
    """The chunk with the usage and without a choice that comes last where the caller asked for it."""
    return _encode({**_chunk([], id, created, model), "usage": to_openai(usage)})


class _Function(Struct):
    name: str | None = None
    arguments: str | None = None


class _Fragment(Struct):
    index: int = 0
    id: str | None = None
    function: _Function | None = None
    extra_content: Any = None


class _Delta(Struct):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_Fragment] | None = None


class _ToolCall:
    __slots__ = ("arguments", "extra_content", "id", "name")

    def __init__(self) -> None:
        self.id = self.name = ""
        self.arguments: list[str] = []
        self.extra_content: Any = None


class Collector:
    """Puts the pieces of one streamed answer together."""

    def __init__(self) -> None:
        self._content: list[str] = []
        self._refusal: list[str] = []
        self._reasoning: list[str] = []
        self._tool_calls: dict[int, _ToolCall] = {}
        self._finish: Finish | None = None

    def add(self, piece: Piece) -> None:
        """Raises ``UpstreamBroken`` for a delta that is not as OpenAI has them."""
        if piece.finish is not None:
            self._finish = piece.finish
        if not piece.delta:
            return
        try:
            delta = msgspec.convert(piece.delta, _Delta)
        except msgspec.ValidationError as exc:
            raise UpstreamBroken(f"an event of the stream is no chat chunk: {exc}") from exc
        for collected, text in (
            (self._content, delta.content),
            (self._refusal, delta.refusal),
            (self._reasoning, delta.reasoning_content),
        ):
            if text:
                collected.append(text)
        for fragment in delta.tool_calls or ():
            self._add_fragment(fragment)

    def completion(self, *, id: str, created: int, model: str, usage: Usage) -> bytes:
        """The whole ``chat.completion``. ``created`` is Unix time in seconds."""
        choice = {"index": 0, "message": self._message(), "logprobs": None, "finish_reason": self._finish or "stop"}
        return _encode(
            {
                "id": id,
                "object": "chat.completion",
                "created": created,
                "model": model,
                "choices": [choice],
                "usage": to_openai(usage),
            }
        )

    def _add_fragment(self, fragment: _Fragment) -> None:
        """A call's first fragment names it, the others bring pieces of its arguments."""
        call = self._tool_calls.setdefault(fragment.index, _ToolCall())
        call.id = call.id or fragment.id or ""
        call.extra_content = call.extra_content or fragment.extra_content
        if fragment.function is not None:
            call.name = call.name or fragment.function.name or ""
            call.arguments.append(fragment.function.arguments or "")

    def _message(self) -> dict[str, Any]:
        silent = bool(self._tool_calls or self._refusal) and not self._content
        message: dict[str, Any] = {"role": "assistant", "content": None if silent else "".join(self._content)}
        message["refusal"] = "".join(self._refusal) or None
        if self._reasoning:
            message["reasoning_content"] = "".join(self._reasoning)
        if self._tool_calls:
            message["tool_calls"] = [_whole(call) for _, call in sorted(self._tool_calls.items())]
        return message


def _chunk(choices: list[dict[str, Any]], id: str, created: int, model: str) -> dict[str, Any]:
    return {"id": id, "object": "chat.completion.chunk", "created": created, "model": model, "choices": choices}


def _whole(call: _ToolCall) -> Mapping[str, Any]:
    function = {"name": call.name, "arguments": "".join(call.arguments)}
    out: dict[str, Any] = {"id": call.id, "type": "function", "function": function}
    if call.extra_content is not None:
        out["extra_content"] = call.extra_content
    return out
