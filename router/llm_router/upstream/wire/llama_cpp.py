"""llama.cpp's own server: OpenAI's chat completions, asked with care.

It takes every field of its native interface on the chat route too, some of which reach into other requests' slots or
have crashed it; what it does not know it ignores. So it is sent OpenAI's fields only, and what it would silently do
otherwise than asked is refused here. It is always asked for a stream, because it notices a caller's departure at once
only while it streams.

https://github.com/ggml-org/llama.cpp/tree/master/tools/server
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from ...errors import ClientError
from ...routing.facts import ChatRequest, Message
from .base import Outgoing
from .fields import EVERYBODY_TAKES, hints_left_out, unsupported_field
from .openai import OpenAIWire, post, spliced
from .schema_work import TooMuch, weigh

_TAKEN = EVERYBODY_TAKES | {
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "logit_bias",
    "parallel_tool_calls",
    "reasoning_effort",
}
_UNSUPPORTED = frozenset({"n", "logprobs", "audio"})
"""More than one choice, and log probabilities, cannot be collected from its stream."""


_WITH_SCHEMAS = frozenset({"response_format", "tools"})


class LlamaCppWire(OpenAIWire):
    def __init__(self, *, unix_time: Callable[[], float] = time.time) -> None:
        super().__init__("llama.cpp", collects=True, unix_time=unix_time)

    def outgoing(self, chat: ChatRequest, model: str, *, stream: bool) -> Outgoing:
        dropped = hints_left_out(chat.fields, _TAKEN, "llama.cpp")
        for index, message in enumerate(chat.messages):
            _check_parts(message, f"messages[{index}]")
        fields = {name: raw for name, raw in chat.fields.items() if name in _TAKEN and bytes(raw) != b"null"}
        _name_one_tool(fields)
        for name in _WITH_SCHEMAS & fields.keys():
            _check_work(name, fields[name])
        request = post(spliced(fields, model, stream=stream), stream=stream)
        return msgspec.structs.replace(request, dropped=dropped)

    def unsupported(self, needs: frozenset[str]) -> frozenset[str]:
        return needs & _UNSUPPORTED


class _Named(Struct):
    name: str


class _Function(Struct):
    function: _Named


def _check_parts(message: Message, where: str) -> None:
    """Texts, and pictures that come along: what stands at a URL llama.cpp would fetch from inside its cluster."""
    for index, part in enumerate(message.content if isinstance(message.content, list) else ()):
        kind, at = part.get("type"), f"{where}.content[{index}]"
        if kind == "image_url":
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, dict) else None
            if not isinstance(url, str) or not url.startswith("data:"):
                raise unsupported_field(f"{at}.image_url.url", "A picture other than as a data URI", "llama.cpp")
        elif kind != "text":
            raise unsupported_field(f"{at}.type", f"{kind!r} content", "llama.cpp")


def _check_work(name: str, raw: Raw) -> None:
    """One schema may keep the server from answering anybody for longer than anybody waits."""
    try:
        weigh(*_schemas(name, msgspec.json.decode(raw)))
    except (TooMuch, RecursionError) as exc:
        raise unsupported_field(name, "A schema of this size", "llama.cpp") from exc


def _schemas(name: str, value: Any) -> list[Any]:
    """Where it takes them from."""
    if name == "response_format":
        return [_inside(value, "json_schema", "schema"), _inside(value, "schema")]
    return [_inside(tool, "function", "parameters") for tool in (value if isinstance(value, list) else ())]


def _inside(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _name_one_tool(fields: dict[str, Raw]) -> None:
    """llama.cpp reads a named tool as ``auto``. The same is said by offering that tool alone, and requiring one."""
    choice = fields.get("tool_choice")
    if choice is None or not bytes(choice).lstrip().startswith(b"{"):
        return
    try:
        wanted = msgspec.json.decode(choice, type=_Function).function.name
        tools = msgspec.json.decode(fields.get("tools", Raw(b"[]")), type=list[Raw])
        offered = [tool for tool in tools if _name_of(tool) == wanted]
    except msgspec.ValidationError as exc:
        raise unsupported_field("tool_choice", "This choice of tools", "llama.cpp") from exc
    if not offered:
        message = f"tool_choice names {wanted[:64]!r}, which is not among the tools."
        raise ClientError(400, "invalid_request_error", message, param="tool_choice")
    fields["tools"] = Raw(msgspec.json.encode(offered))
    fields["tool_choice"] = Raw(b'"required"')


def _name_of(tool: Raw) -> Any:
    return msgspec.json.decode(tool, type=_Function).function.name
