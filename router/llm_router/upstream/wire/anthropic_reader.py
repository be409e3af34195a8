"""Anthropic's stream and errors, read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from ...errors import UpstreamBroken
from ...model import Finish, Usage
from .base import Piece
from .failures import Told, refusal, told_of
from .usage import tokens

_FINISHES: Mapping[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_INPUT_COUNTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_COUNTS = (*_INPUT_COUNTS, "output_tokens")
_FOR_AN_HOUR = "ephemeral_1h_input_tokens"


class _Message(Struct):
    model: str | None = None
    usage: dict[str, Any] | None = None


class _Block(Struct):
    type: str
    id: str | None = None
    name: str | None = None
    text: str | None = None
    input: Any = None


class _Delta(Struct):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Event(Struct):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


class _Kind(Struct):
    type: str


class _ToolUse(Struct):
    """A tool call under way: its index among the tool calls, what it began with, and whether arguments came."""

    index: int
    input: Any
    has_arguments: bool = False


_decode = msgspec.json.Decoder(_Event).decode
_decode_kind = msgspec.json.Decoder(_Kind).decode
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class AnthropicReader:
    """Reads one stream of Messages events. Events of kinds that it does not know are ignored, as the API asks."""

    def __init__(self) -> None:
        self._finish: Finish | None = None
        self._counts: dict[str, int] = {}
        self._absurd: set[str] = set()
        self._deltas = 0
        self._tool_uses: dict[int, _ToolUse] = {}
        self._kinds = {
            "message_start": self._message_start,
            "content_block_start": self._block_start,
            "content_block_delta": self._block_delta,
            "content_block_stop": self._block_stop,
            "message_delta": self._message_delta,
            "message_stop": self._message_stop,
            "error": self._error,
        }

    def read(self, event: bytes, name: str = "") -> Piece | None:
        try:
            kind = self._kinds.get(_decode_kind(event).type)
            return kind(_decode(event)) if kind is not None else None
        except _MALFORMED as exc:
            if not event.strip():
                return None
            raise UpstreamBroken(f"an event of the stream is not what Anthropic sends: {exc}") from exc

    def end(self) -> Piece | None:
        return Piece(terminal=True) if self._finish is not None else None

    def _message_start(self, event: _Event) -> Piece | None:
        message = event.message or _Message()
        self._count(message.usage)
        return Piece(delta={"role": "assistant", "content": ""}, model=message.model)

    def _block_start(self, event: _Event) -> Piece | None:
        block = event.content_block
        if block is None:
            return None
        if block.type == "tool_use":
            tool_use = self._tool_uses[event.index] = _ToolUse(len(self._tool_uses), block.input)
            function = {"name": block.name, "arguments": ""}
            return self._tool_call({"index": tool_use.index, "id": block.id, "type": "function", "function": function})
        return self._content({"content": block.text}) if block.type == "text" and block.text else None

    def _block_delta(self, event: _Event) -> Piece | None:
        delta = event.delta or _Delta()
        if delta.text and delta.type == "text_delta":
            return self._content({"content": delta.text})
        if delta.thinking and delta.type == "thinking_delta":
            return self._content({"reasoning_content": delta.thinking})
        tool_use = self._tool_uses.get(event.index)
        if tool_use is None or not delta.partial_json or delta.type != "input_json_delta":
            return None
        tool_use.has_arguments = True
        return self._tool_call({"index": tool_use.index, "function": {"arguments": delta.partial_json}})

    def _block_stop(self, event: _Event) -> Piece | None:
        """A call without arguments streams none, but OpenAI's callers parse them as JSON."""
        tool_use = self._tool_uses.get(event.index)
        if tool_use is None or tool_use.has_arguments:
            return None
        arguments = msgspec.json.encode(tool_use.input or {}).decode()
        return self._tool_call({"index": tool_use.index, "function": {"arguments": arguments}})

    def _message_delta(self, event: _Event) -> Piece | None:
        self._count(event.usage)
        reason = event.delta.stop_reason if event.delta is not None else None
        if reason is not None:
            self._finish = _FINISHES.get(reason, "stop")
        counted = self._deltas if "output_tokens" in self._absurd else None
        usage = self._usage(counted) if event.usage is not None else None
        return Piece(delta={}, finish=self._finish if reason is not None else None, usage=usage)

    def _message_stop(self, _event: _Event) -> Piece | None:
        return Piece(terminal=True)

    def _error(self, event: _Event) -> Piece | None:
        raise refusal(told_of_anthropic(event.error), None)

    def _tool_call(self, fragment: dict[str, Any]) -> Piece:
        return self._content({"tool_calls": [fragment]})

    def _content(self, delta: dict[str, Any]) -> Piece:
        """Output is counted in events until ``message_delta`` says it: enough for an answer that breaks."""
        self._deltas += 1
        return Piece(delta=delta, content=True, usage=self._usage(output_tokens=self._deltas))

    def _count(self, stated: Mapping[str, Any] | None) -> None:
        """Counts are cumulative: later ones replace earlier ones, absent and absurd ones replace nothing. Where the
        last one was absurd the whole counts as estimated."""
        if stated is None:
            return
        details = stated.get("output_tokens_details")
        thinking = details.get("thinking_tokens") if isinstance(details, Mapping) else None
        written = stated.get("cache_creation")
        for_an_hour = written.get(_FOR_AN_HOUR) if isinstance(written, Mapping) else None
        parts = (("thinking_tokens", thinking), (_FOR_AN_HOUR, for_an_hour))
        for name, value in (*((name, stated.get(name)) for name in _COUNTS), *parts):
            if (count := tokens(value)) is not None:
                self._counts[name] = count
                self._absurd.discard(name)
            elif value is not None:
                self._absurd.add(name)

    def _usage(self, output_tokens: int | None = None) -> Usage | None:
        counts = self._counts
        if not any(name in counts for name in _INPUT_COUNTS):
            return None
        output = counts.get("output_tokens", 0) if output_tokens is None else output_tokens
        written = counts.get("cache_creation_input_tokens", 0)
        return Usage(
            input_tokens=counts.get("input_tokens", 0),
            cache_read_tokens=counts.get("cache_read_input_tokens", 0),
            cache_write_tokens=written,
            cache_write_1h_tokens=min(counts.get(_FOR_AN_HOUR, 0), written),
            output_tokens=output,
            reasoning_tokens=min(counts.get("thinking_tokens", 0), output),
            estimated=output_tokens is not None or bool(self._absurd),
        )


def told_of_anthropic(error: object) -> Told:
    """Anthropic's error object: ``details.error_code`` tells a spent budget from a rate limit."""
    details = error.get("details") if isinstance(error, Mapping) else None
    return told_of(error, details.get("error_code") if isinstance(details, Mapping) else None)
