"""Google's Gemini API, translated.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from ...errors import UpstreamBroken, UpstreamRefused
from ...routing.facts import ChatRequest
from .base import CompleteAnswer, Outgoing
from .conversation import (
    Call,
    Conversation,
    InlineImage,
    LinkedImage,
    Part,
    Result,
    Text,
    Tool,
    Turn,
    read_conversation,
)
from .failures import error_in, refusal
from .fields import EVERYBODY_TAKES, hints_left_out
from .gemini_reader import GeminiReader, asked_wait_s, told_of_gemini
from .retry_after import retry_after_s

_TAKEN = EVERYBODY_TAKES | {"seed"}
_UNSUPPORTED = frozenset({"n", "logprobs", "audio"})
_MEDIA_TYPES: Mapping[str, str] = {
    "gif": "image/gif",
    "heic": "image/heic",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
}
_MODES: Mapping[str, str] = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_INT32 = range(-(2**31), 2**31)

NO_SIGNATURE = "skip_thought_signature_validator"
"""Google's documented stand-in for the signature of a call that Gemini did not make itself: another model did, or the
caller did not keep it. Without any, Gemini 3 refuses the conversation."""


class GeminiWire:
    """``unix_time`` is a wall clock in seconds, for dates in ``Retry-After``."""

    name = "gemini"
    collects = True

    def __init__(self, *, unix_time: Callable[[], float] = time.time) -> None:
        self._unix_time = unix_time

    def outgoing(self, chat: ChatRequest, model: str, *, stream: bool) -> Outgoing:
        dropped = hints_left_out(chat.fields, _TAKEN, "Gemini")
        conversation = read_conversation(chat, "Gemini")
        if conversation.seed is not None and conversation.seed not in _INT32:
            dropped += ("seed",)
        body: dict[str, Any] = {"contents": [_content(turn) for turn in conversation.turns]}
        if conversation.system:
            body["systemInstruction"] = {"parts": [{"text": text} for text in conversation.system]}
        if config := _generation_config(conversation, chat.max_tokens):
            body["generationConfig"] = config
        if conversation.tools:
            body["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in conversation.tools]}]
            if conversation.tool_choice is not None:
                body["toolConfig"] = {"functionCallingConfig": _calling(conversation.tool_choice)}
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        headers = (
            ("content-type", "application/json"),
            ("accept", "text/event-stream" if stream else "application/json"),
        )
        return Outgoing(f"/models/{quote(model, safe='')}:{method}", headers, msgspec.json.encode(body), dropped)

    def credentials(self, api_key: str) -> tuple[tuple[str, str], ...]:
        return (("x-goog-api-key", api_key),)

    def reader(self) -> GeminiReader:
        return GeminiReader()

    def answer(self, body: bytes) -> CompleteAnswer:
        raise UpstreamBroken("a whole answer came where a stream was asked for")

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
        error = error_in(body)
        wait_s = asked_wait_s(error)
        if wait_s is None:
            wait_s = retry_after_s(headers, self._unix_time())
        return refusal(told_of_gemini(error), status, wait_s)

    def unsupported(self, needs: frozenset[str]) -> frozenset[str]:
        return needs & _UNSUPPORTED


def _generation_config(conversation: Conversation, max_tokens: int | None) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if conversation.temperature is not None:
        out["temperature"] = conversation.temperature
    if conversation.top_p is not None:
        out["topP"] = conversation.top_p
    if max_tokens is not None:
        out["maxOutputTokens"] = max_tokens
    if conversation.stop:
        out["stopSequences"] = conversation.stop
    if conversation.seed is not None and conversation.seed in _INT32:
        out["seed"] = conversation.seed
    if conversation.json is not None:
        out["responseMimeType"] = "application/json"
        if conversation.json:
            out["responseJsonSchema"] = conversation.json
    return out


def _declaration(tool: Tool) -> dict[str, Any]:
    out: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        out["description"] = tool.description
    if tool.parameters is not None:
        out["parametersJsonSchema"] = tool.parameters
    return out


def _calling(choice: str | Tool) -> dict[str, Any]:
    if isinstance(choice, Tool):
        return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
    return {"mode": _MODES[choice]}


def _content(turn: Turn) -> dict[str, Any]:
    parts = [_part(part) for part in turn.parts]
    first_call = next((part for part in parts if "functionCall" in part), None)
    if first_call is not None:
        first_call.setdefault("thoughtSignature", NO_SIGNATURE)
    return {"role": "model" if turn.speaker == "assistant" else "user", "parts": parts}


def _part(part: Part) -> dict[str, Any]:
    match part:
        case Text(text):
            return {"text": text}
        case InlineImage(media_type, data):
            return {"inlineData": {"mimeType": media_type, "data": data}}
        case LinkedImage(url):
            return {"fileData": _file(url)}
        case Call(id, name, arguments, signature):
            call = {"functionCall": {"id": id, "name": name, "args": arguments}}
            return {**call, "thoughtSignature": signature} if signature else call
        case Result(call_id, name, text):
            return {"functionResponse": {"id": call_id, "name": name, "response": _response(text)}}


def _file(url: str) -> dict[str, str]:
    media_type = _MEDIA_TYPES.get(urlsplit(url).path.rpartition(".")[2].lower())
    return {"fileUri": url, "mimeType": media_type} if media_type else {"fileUri": url}


def _response(text: str) -> dict[str, Any]:
    """Gemini wants an object: the tool's own where it brought one."""
    try:
        response: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return {"result": text}
    return response
