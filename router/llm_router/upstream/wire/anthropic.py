"""Anthropic's Messages API, translated.

https://platform.claude.com/docs/en/api/messages and /streaming. The API version is pinned: a newer one refuses
sampling fields, and the version decides what the same bytes mean.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ...errors import UpstreamBroken, UpstreamRefused
from ...routing.facts import ChatRequest
from .anthropic_reader import AnthropicReader, told_of_anthropic
from .base import CompleteAnswer, Outgoing
from .conversation import Call, Conversation, InlineImage, LinkedImage, Part, Result, Text, Tool, read_conversation
from .failures import error_in, refusal
from .fields import EVERYBODY_TAKES, hints_left_out, unsupported_field
from .retry_after import wait_s

VERSION = "2023-06-01"
DEFAULT_MAX_TOKENS = 4096
"""Anthropic wants a maximum, OpenAI's callers need not give one. Every Claude model can write this much."""

_TAKEN = EVERYBODY_TAKES | {"parallel_tool_calls", "user", "safety_identifier"}
_UNSUPPORTED = frozenset({"n", "logprobs", "audio", "json_object"})
_MAX_TEMPERATURE = 1.0
_FIRST_WITHOUT_SAMPLING = (4, 7)
_GENERATION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[.-](\d{1,2}))?(?!\d)")
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_-]")


class AnthropicWire:
    """``unix_time`` is a wall clock in seconds, for dates in ``Retry-After``."""

    name = "anthropic"
    collects = True

    def __init__(self, *, unix_time: Callable[[], float] = time.time) -> None:
        self._unix_time = unix_time

    def outgoing(self, chat: ChatRequest, model: str, *, stream: bool) -> Outgoing:
        dropped = hints_left_out(chat.fields, _TAKEN, "Anthropic")
        conversation = read_conversation(chat, "Anthropic")
        sampling, lost = _sampling(conversation, model)
        body = {
            "model": model,
            "max_tokens": chat.max_tokens or DEFAULT_MAX_TOKENS,
            "messages": [_message(turn.speaker, turn.parts) for turn in conversation.turns],
            "stream": stream,
            **sampling,
            **_options(conversation),
        }
        headers = (
            ("content-type", "application/json"),
            ("accept", "text/event-stream" if stream else "application/json"),
            ("anthropic-version", VERSION),
        )
        return Outgoing("/messages", headers, msgspec.json.encode(body), dropped + lost)

    def credentials(self, api_key: str) -> tuple[tuple[str, str], ...]:
        return (("x-api-key", api_key),)

    def reader(self) -> AnthropicReader:
        return AnthropicReader()

    def answer(self, body: bytes) -> CompleteAnswer:
        raise UpstreamBroken("a whole answer came where a stream was asked for")

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
        return refusal(told_of_anthropic(error_in(body)), status, wait_s(status, headers, self._unix_time()))

    def unsupported(self, needs: frozenset[str]) -> frozenset[str]:
        return needs & _UNSUPPORTED


def takes_sampling(model: str) -> bool:
    """Claude from 4.7 on refuses ``temperature`` and ``top_p`` whatever their values. Names without a version are
    taken to be of the older kind: somebody else's server, which may know them."""
    found = _GENERATION.search(model)
    return found is None or (int(found.group(1)), int(found.group(2) or 0)) < _FIRST_WITHOUT_SAMPLING


def _sampling(conversation: Conversation, model: str) -> tuple[dict[str, float], tuple[str, ...]]:
    """The sampling fields as far as this model takes them, and the names of those that it does not take as given:
    the temperature ends at 1, and of temperature and ``top_p`` newer models take only one."""
    asked = {"temperature": conversation.temperature, "top_p": conversation.top_p}
    given = {name: value for name, value in asked.items() if value is not None and (name, value) != ("top_p", 1)}
    if not takes_sampling(model):
        return {}, tuple(given)
    lost = []
    if given.get("temperature", 0) > _MAX_TEMPERATURE:
        given["temperature"] = _MAX_TEMPERATURE
        lost.append("temperature")
    if len(given) == 2:
        del given["top_p"]
        lost.append("top_p")
    return given, tuple(lost)


def _options(conversation: Conversation) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if conversation.system:
        out["system"] = [{"type": "text", "text": text} for text in conversation.system]
    if conversation.stop:
        out["stop_sequences"] = conversation.stop
    if conversation.user is not None:
        out["metadata"] = {"user_id": conversation.user}
    if conversation.json is not None:
        out["output_config"] = {"format": _format(conversation.json)}
    if conversation.tools:
        out["tools"] = [_tool(tool) for tool in conversation.tools]
        if (choice := _tool_choice(conversation)) is not None:
            out["tool_choice"] = choice
    return out


def _format(schema: dict[str, Any]) -> dict[str, Any]:
    if not schema:
        raise unsupported_field("response_format", "JSON without a schema", "Anthropic")
    return {"type": "json_schema", "schema": schema}


def _tool(tool: Tool) -> dict[str, Any]:
    out: dict[str, Any] = {"name": tool.name, "input_schema": tool.parameters or {"type": "object", "properties": {}}}
    if tool.description is not None:
        out["description"] = tool.description
    if tool.strict:
        out["strict"] = True
    return out


def _tool_choice(conversation: Conversation) -> dict[str, Any] | None:
    choice = conversation.tool_choice
    one_at_a_time = conversation.parallel_tool_calls is False
    if choice is None and not one_at_a_time:
        return None
    out: dict[str, Any]
    if isinstance(choice, Tool):
        out = {"type": "tool", "name": choice.name}
    else:
        out = {"type": {"required": "any", "none": "none"}.get(choice or "auto", "auto")}
    if one_at_a_time and choice != "none":
        out["disable_parallel_tool_use"] = True
    return out


def _message(speaker: str, parts: list[Part]) -> dict[str, Any]:
    return {"role": speaker, "content": [_block(part) for part in parts]}


def _block(part: Part) -> dict[str, Any]:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case InlineImage(media_type, data):
            return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}
        case LinkedImage(url):
            return {"type": "image", "source": {"type": "url", "url": url}}
        case Call(id, name, arguments):
            return {"type": "tool_use", "id": _id(id), "name": name, "input": arguments}
        case Result(call_id, _, text):
            return {"type": "tool_result", "tool_use_id": _id(call_id), "content": text}


def _id(call_id: str) -> str:
    """Ids of other models' calls in the characters that Anthropic takes."""
    return _NOT_IN_AN_ID.sub("_", call_id)
