"""The fields of Gemini's generateContent request, with the types and bounds that the real API enforces.

The API is protocol buffers behind JSON: every name is accepted in camelCase and in snake_case.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from msgspec import Struct, field

_FREE_FORM = frozenset(
    {"args", "labels", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "responseSchema"}
)


class FunctionCall(Struct, rename="camel"):
    name: str
    args: dict[str, Any] = {}
    id: str | None = None


class FunctionResponse(Struct, rename="camel"):
    name: str
    response: dict[str, Any] = {}
    id: str | None = None


class Part(Struct, rename="camel", forbid_unknown_fields=True):
    text: str | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    inline_data: dict[str, Any] | None = None
    file_data: dict[str, Any] | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    code_execution_result: Any = None
    executable_code: Any = None
    media_resolution: Any = None
    part_metadata: Any = None
    tool_call: Any = None
    tool_response: Any = None
    video_metadata: Any = None

    @property
    def empty(self) -> bool:
        return all(getattr(self, name) is None for name in self.__struct_fields__)

    @property
    def words(self) -> str:
        if self.function_call is not None:
            return self.function_call.name + json.dumps(self.function_call.args)
        if self.function_response is not None:
            return self.function_response.name + json.dumps(self.function_response.response)
        return self.text or ""


class Content(Struct, rename="camel", forbid_unknown_fields=True):
    parts: list[Part] = []
    role: str | None = None

    @property
    def text(self) -> str:
        return "".join(part.words for part in self.parts)


class FunctionDeclaration(Struct, rename="camel"):
    name: str
    parameters: dict[str, Any] | None = None
    parameters_json_schema: dict[str, Any] | None = None

    @property
    def schema(self) -> dict[str, Any]:
        return self.parameters_json_schema or self.parameters or {}


class OfferedTool(Struct, rename="camel"):
    """Functions of the caller's; the provider's own tools (search, code execution …) are accepted and not used."""

    function_declarations: list[FunctionDeclaration] = []


class FunctionCallingConfig(Struct, rename="camel"):
    mode: Literal["AUTO", "ANY", "NONE", "VALIDATED", "MODE_UNSPECIFIED"] = "AUTO"
    allowed_function_names: list[str] = []


class ToolConfig(Struct, rename="camel"):
    function_calling_config: FunctionCallingConfig = field(default_factory=FunctionCallingConfig)


class GenerationConfig(Struct, rename="camel", forbid_unknown_fields=True):
    candidate_count: int | None = None
    max_output_tokens: int | None = None
    stop_sequences: list[str] = []
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    response_mime_type: str | None = None
    response_schema: dict[str, Any] | None = None
    response_json_schema: dict[str, Any] | None = field(default=None)
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    response_modalities: list[str] | None = None
    thinking_config: dict[str, Any] | None = None
    media_resolution: Any = None
    speech_config: Any = None
    image_config: Any = None
    audio_transcription_config: Any = None
    enable_enhanced_civic_answers: Any = None


class GenerateFields(Struct, rename="camel", forbid_unknown_fields=True):
    contents: list[Content] = []
    system_instruction: Content | None = None
    tools: list[OfferedTool] = []
    tool_config: ToolConfig | None = None
    generation_config: GenerationConfig = field(default_factory=GenerationConfig)
    safety_settings: list[dict[str, Any]] | None = None
    cached_content: str | None = None
    labels: dict[str, str] | None = None
    model: str | None = None
    service_tier: str | None = None
    store: bool | None = None


class CountFields(Struct, rename="camel", forbid_unknown_fields=True):
    contents: list[Content] = []
    generate_content_request: GenerateFields | None = None


def in_camel_case(value: Any) -> Any:
    """``value`` with every name of the API in camelCase; what the caller names itself (arguments, schemas) stays."""
    if isinstance(value, list):
        return [in_camel_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    camel = {_camel(name): inner for name, inner in value.items()}
    return {name: inner if name in _FREE_FORM else in_camel_case(inner) for name, inner in camel.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
