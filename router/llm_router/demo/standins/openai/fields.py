"""The fields of OpenAI's chat request, with the types and bounds that the real API enforces."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

Role = Literal["system", "assistant", "user", "function", "tool", "developer"]
PartType = Literal["text", "image_url", "input_audio", "refusal", "audio", "file"]
Positive: TypeAlias = Annotated[int, Meta(ge=1)]
Penalty: TypeAlias = Annotated[float, Meta(ge=-2, le=2)]


class Part(Struct):
    type: PartType
    text: str = ""


class Message(Struct):
    role: Role
    content: str | list[Part] | None = None
    tool_calls: list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        content = self.content or ""
        said = content if isinstance(content, str) else "".join(part.text for part in content)
        return said + (json.dumps(self.tool_calls) if self.tool_calls else "")

    @property
    def attachments(self) -> int:
        parts = self.content if isinstance(self.content, list) else ()
        return sum(part.type not in ("text", "refusal") for part in parts)


class Function(Struct):
    name: str
    parameters: dict[str, Any] | None = None


class OfferedTool(Struct):
    type: Literal["function"]
    function: Function


class FunctionName(Struct):
    name: str


class NamedTool(Struct):
    type: Literal["function"]
    function: FunctionName


class JSONSchema(Struct):
    name: str
    schema: dict[str, Any]
    strict: bool | None = None


class ResponseFormat(Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JSONSchema | None = None


class StreamOptions(Struct, forbid_unknown_fields=True):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ChatFields(Struct, forbid_unknown_fields=True):
    """The fields of a chat request: those that the stand-in heeds with their types, the others by name."""

    model: str
    messages: Annotated[list[Message], Meta(min_length=1)]
    frequency_penalty: Penalty | None = None
    logprobs: bool | None = None
    max_completion_tokens: Positive | None = None
    max_tokens: Positive | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    presence_penalty: Penalty | None = None
    response_format: ResponseFormat | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    tools: list[OfferedTool] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    audio: Any = None
    function_call: Any = None
    functions: Any = None
    logit_bias: Any = None
    metadata: Any = None
    modalities: Any = None
    moderation: Any = None
    parallel_tool_calls: Any = None
    prediction: Any = None
    prompt_cache_key: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    reasoning_effort: Any = None
    safety_identifier: Any = None
    seed: Any = None
    service_tier: Any = None
    store: Any = None
    top_logprobs: Any = None
    user: Any = None
    verbosity: Any = None
    web_search_options: Any = None
