"""Gemini's generateContent request, read as strictly as the real API reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ..chat import Ask, Tool
from ..complaints import Unfit, fit
from ..dialect import Refused
from ..models import GeminiModel
from ..samples import usable
from ..text import TOKENS_PER_ATTACHMENT, count_tokens
from .errors import context_overflow, refused, unfit
from .fields import Content, CountFields, FunctionDeclaration, GenerateFields, GenerationConfig, in_camel_case

_TOKENS_PER_CONTENT = 4
_AT = "* GenerateContentRequest"

T = TypeVar("T")


def read_count(fields: Mapping[str, Any]) -> int:
    """The prompt tokens of a countTokens request. Raises ``Refused``."""
    asked = _fit(fields, CountFields)
    whole = asked.generate_content_request or GenerateFields(contents=asked.contents)
    _check_contents(whole.contents)
    return _prompt_tokens(whole)


def read_ask(fields: Mapping[str, Any], model: GeminiModel) -> Ask:
    """Raises ``Refused``."""
    asked = _fit(fields, GenerateFields)
    _check_contents(asked.contents)
    _check_config(asked.generation_config, model)
    prompt_tokens = _prompt_tokens(asked)
    if prompt_tokens > model.context:
        raise Refused(context_overflow(model, prompt_tokens))
    texts = [content.text for content in asked.contents]
    system = asked.system_instruction.text if asked.system_instruction else ""
    return Ask(
        prompt="\n".join([system, *texts]),
        question=texts[-1],
        prompt_tokens=prompt_tokens,
        max_tokens=asked.generation_config.max_output_tokens or model.max_output,
        stops=tuple(asked.generation_config.stop_sequences),
        tool=_forced_tool(asked),
        schema=_json_schema(asked.generation_config),
    )


def _fit(fields: Mapping[str, Any], shape: type[T]) -> T:
    try:
        return fit(in_camel_case(fields), shape)
    except Unfit as error:
        raise unfit(error.complaint) from None


def _check_contents(contents: Sequence[Content]) -> None:
    if not contents:
        raise refused(f"{_AT}.contents: contents is not specified\n")
    called = False
    for index, content in enumerate(contents):
        if content.role not in (None, "user", "model"):
            raise refused("Please use a valid role: user, model.")
        if not content.parts:
            raise refused(f"{_AT}.contents[{index}].parts: contents.parts must not be empty.\n")
        for number, part in enumerate(content.parts):
            if part.empty:
                at = f"{_AT}.contents[{index}].parts[{number}].data"
                raise refused(f"{at}: required oneof field 'data' must have one initialized field\n")
            if part.function_response is not None and not called:
                raise refused("Please ensure that function response turn comes immediately after a function call turn.")
        called = any(part.function_call is not None for part in content.parts)


def _check_config(config: GenerationConfig, model: GeminiModel) -> None:
    at = f"{_AT}.generation_config"
    if config.temperature is not None and not 0 <= config.temperature <= 2:
        raise refused(f"{at}.temperature: temperature must be in the range [0.0, 2.0].\n")
    if config.top_p is not None and not 0 <= config.top_p <= 1:
        raise refused(f"{at}.top_p: top_p must be in the range [0.0, 1.0].\n")
    if config.max_output_tokens is not None and config.max_output_tokens < 1:
        raise refused(f"{at}.max_output_tokens: max_output_tokens must be positive.\n")
    if config.max_output_tokens is not None and config.max_output_tokens > model.max_output:
        said = f"Unable to submit request because it has a maxOutputTokens value of {config.max_output_tokens} but the"
        bounds = f"from 1 (inclusive) to {model.max_output + 1} (exclusive)"
        raise refused(f"{said} supported range is {bounds}. Update the value and try again.")
    if (config.candidate_count or 1) != 1:
        raise refused("Multiple candidates is not enabled for this model")
    if config.response_logprobs:
        raise refused("Logprobs is not enabled for this model")


def _forced_tool(asked: GenerateFields) -> Tool | None:
    functions: list[FunctionDeclaration] = [one for tool in asked.tools for one in tool.function_declarations]
    for index, function in enumerate(functions):
        if not usable(function.schema):
            raise refused(f"{_AT}.tools[0].function_declarations[{index}].parameters: invalid schema\n")
    if asked.tool_config is None:
        return None
    calling = asked.tool_config.function_calling_config
    if calling.mode != "ANY":
        return None
    if not functions:
        raise refused("Function calling config is set without function_declarations.")
    allowed = calling.allowed_function_names or [one.name for one in functions]
    for function in functions:
        if function.name in allowed:
            return Tool(function.name, function.schema)
    raise refused(f"{_AT}.tool_config.function_calling_config.allowed_function_names: unknown function name\n")


def _json_schema(config: GenerationConfig) -> dict[str, Any] | None:
    schema = config.response_json_schema or config.response_schema
    if not usable(schema or {}):
        raise refused(f"{_AT}.generation_config.response_schema: invalid schema\n")
    if config.response_mime_type == "application/json":
        return schema or {"type": "object", "properties": {"answer": {"type": "string"}}}
    if schema is not None:
        name = "response_json_schema" if config.response_json_schema else "response_schema"
        said = f"{name} only supported when response_mime_type is set to application/json"
        raise refused(f"{_AT}.generation_config.{name}: {said}\n")
    return None


def _prompt_tokens(asked: GenerateFields) -> int:
    contents = [*asked.contents, *([asked.system_instruction] if asked.system_instruction else [])]
    tokens = sum(count_tokens(content.text) + _TOKENS_PER_CONTENT for content in contents)
    for content in contents:
        tokens += TOKENS_PER_ATTACHMENT * sum(bool(part.inline_data or part.file_data) for part in content.parts)
    for tool in asked.tools:
        tokens += sum(count_tokens(one.name + json.dumps(one.schema)) for one in tool.function_declarations)
    return tokens
