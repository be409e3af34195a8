"""OpenAI's chat completions, and everybody who speaks them: bytes pass through, and each event is still checked.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from ...errors import UpstreamBroken, UpstreamRefused
from ...model import Finish
from ...routing.facts import ChatRequest
from ...routing.strict_json import encode_object
from .base import CompleteAnswer, Outgoing, Piece
from .failures import error_in, refusal, told_of
from .retry_after import wait_s
from .usage import from_openai

_CONTENT = ("content", "tool_calls", "reasoning_content", "refusal", "reasoning", "function_call", "audio")
_FINISHES: Mapping[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_TRUE, _FALSE = Raw(b"true"), Raw(b"false")
_REFUSES_MAX_TOKENS = re.compile(r"(.*/)?(o\d|gpt-[5-9](?!\d))")
"""OpenAI's models since o1 and GPT-5."""


class OpenAIWire:
    """``collects``: always ask for a stream. ``unix_time`` is a wall clock in seconds, for dates in ``Retry-After``."""

    def __init__(
        self, name: str = "openai", *, collects: bool = False, unix_time: Callable[[], float] = time.time
    ) -> None:
        self.name, self.collects, self._unix_time = name, collects, unix_time

    def outgoing(self, chat: ChatRequest, model: str, *, stream: bool) -> Outgoing:
        return post(spliced(with_its_maximum(chat.fields, model), model, stream=stream), stream=stream)

    def credentials(self, api_key: str) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {api_key}"),)

    def reader(self) -> OpenAIReader:
        return OpenAIReader()

    def answer(self, body: bytes) -> CompleteAnswer:
        try:
            parsed = _decode_completion(body)
            _check_characters(body)
        except _MALFORMED as exc:
            raise UpstreamBroken(f"the answer is no chat completion: {exc}") from exc
        if parsed.error:
            raise refusal(told_of(parsed.error), None)
        if not parsed.choices:
            raise UpstreamBroken("the answer has no choices")
        for choice in parsed.choices:
            if not choice.finish_reason or choice.message is None:
                raise UpstreamBroken("the answer has a choice without a message or a finish reason")
        finish = finish_of(parsed.choices[0].finish_reason) or "stop"
        return CompleteAnswer(from_openai(parsed.usage), finish, parsed.model)

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
        return refusal(told_of(error_in(body)), status, wait_s(status, headers, self._unix_time()))

    def unsupported(self, needs: frozenset[str]) -> frozenset[str]:
        return frozenset()


class _Choice(Struct):
    index: int = 0
    delta: dict[str, Any] | None = None
    finish_reason: str | None = None


class _Chunk(Struct):
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None
    model: str | None = None


class _WholeChoice(Struct):
    message: dict[str, Any] | None = None
    finish_reason: str | None = None


class _Completion(Struct):
    choices: list[_WholeChoice] | None = None
    usage: Any = None
    error: Any = None
    model: str | None = None


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_completion = msgspec.json.Decoder(_Completion).decode
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class OpenAIReader:
    """Reads one stream of ``chat.completion.chunk``."""

    __slots__ = ("_finish", "_unfinished")

    def __init__(self) -> None:
        self._finish: Finish | None = None
        self._unfinished: set[int] = set()

    def read(self, event: bytes, name: str = "") -> Piece | None:
        try:
            chunk = _decode_chunk(event)
            _check_characters(event)
        except _MALFORMED as exc:
            return self._not_json(event, exc)
        if chunk.error:
            raise refusal(told_of(chunk.error), None)
        if not chunk.choices:
            return self._without_choice(event, chunk)
        content, finish = False, None
        for choice in chunk.choices:
            if choice.delta and has_content(choice.delta):
                content = True
            if choice.finish_reason:
                finish = self._finished(choice)
            else:
                self._unfinished.add(choice.index)
        usage = from_openai(chunk.usage) if chunk.usage is not None else None
        delta = chunk.choices[0].delta
        return Piece(raw=event, delta=delta, content=content, finish=finish, usage=usage, model=chunk.model)

    def end(self) -> Piece | None:
        return Piece(terminal=True) if self._finish is not None else None

    def _finished(self, choice: _Choice) -> Finish | None:
        """The answer has finished when all its choices have."""
        self._unfinished.discard(choice.index)
        if self._unfinished:
            return None
        self._finish = finish_of(choice.finish_reason)
        return self._finish

    def _without_choice(self, event: bytes, chunk: _Chunk) -> Piece | None:
        usage = from_openai(chunk.usage)
        if usage is not None or chunk.choices is not None:
            return Piece(raw=event, usage=usage, model=chunk.model, usage_only=usage is not None)
        told: dict[str, Any] = msgspec.json.decode(event)
        if told.get("object") == "error":  # vLLM's way
            raise refusal(told_of(told), None)
        return None

    def _not_json(self, event: bytes, exc: Exception) -> Piece | None:
        text = event.strip()
        if text == b"[DONE]":
            return Piece(terminal=True)
        if not text:
            return None
        raise UpstreamBroken(f"an event of the stream is no chat chunk: {exc}") from exc


def spliced(fields: Mapping[str, Raw], model: str, *, stream: bool) -> bytes:
    """The request with another ``model``, with or without a stream; every other field as the bytes it came in."""
    out = {**fields, "model": Raw(msgspec.json.encode(model)), "stream": _TRUE if stream else _FALSE}
    if stream:
        out["stream_options"] = _with_usage(fields.get("stream_options"))
    else:
        out.pop("stream_options", None)  # OpenAI refuses it without a stream
    return encode_object(out)


def with_its_maximum(fields: Mapping[str, Raw], model: str) -> Mapping[str, Raw]:
    """``max_tokens`` under its new name where the old one is refused: callers write for all targets, and every other
    one knows the old name."""
    new = bytes(fields.get("max_completion_tokens", b"null"))
    if "max_tokens" not in fields or new != b"null" or not _REFUSES_MAX_TOKENS.match(model):
        return fields
    others = {name: raw for name, raw in fields.items() if name not in ("max_tokens", "max_completion_tokens")}
    return {**others, "max_completion_tokens": fields["max_tokens"]}


def post(body: bytes, *, stream: bool) -> Outgoing:
    accept = "text/event-stream" if stream else "application/json"
    return Outgoing("/chat/completions", (("content-type", "application/json"), ("accept", accept)), body)


def has_content(delta: Mapping[str, Any]) -> bool:
    """Whether somebody who reads the answer sees something of this: a role alone, or empty text, is nothing."""
    return bool(delta.get("content")) or any(delta.get(key) for key in _CONTENT)


def finish_of(reason: str | None) -> Finish | None:
    """OpenAI's finish reason; one that only a compatible server knows is an ordinary stop."""
    return _FINISHES.get(reason, "stop") if reason else None


def _with_usage(options: Raw | None) -> Raw:
    """Usage is always asked for: it is what the answer is billed by."""
    stated = msgspec.json.decode(options, type=dict[str, Raw] | None) if options is not None else None
    return Raw(msgspec.json.encode({**(stated or {}), "include_usage": True}))


def _check_characters(data: bytes) -> None:
    """The decoder checks the characters of the strings that it keeps; the caller's parser will read them all."""
    if not data.isascii():
        data.decode()
