"""Anthropic's Messages request, read as strictly as the real API reads it, in both of its dated versions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from ..chat import Ask, Tool
from ..complaints import Unfit, fit
from ..dialect import Refused
from ..models import AnthropicModel
from ..samples import open_object, usable
from ..text import TOKENS_PER_ATTACHMENT, count_tokens
from .errors import context_overflow, refused, unfit
from .fields import CountFields, Message, MessageFields, SampledMessageFields

VERSION_2023 = "2023-06-01"
VERSION_2026 = "2026-10-21"

_TOKENS_PER_MESSAGE = 4

F = TypeVar("F", bound=CountFields)


class Call(Struct, frozen=True, kw_only=True):
    """A message request that is in order."""

    ask: Ask
    stream: bool


def read_count(fields: Mapping[str, Any], version: str, model: AnthropicModel) -> int:
    """The input tokens of a token counting request. Raises ``Refused``."""
    return _input_tokens(_read(fields, CountFields, version, model))


def read_call(fields: Mapping[str, Any], version: str, model: AnthropicModel) -> Call:
    """Raises ``Refused``."""
    shape = SampledMessageFields if version == VERSION_2023 else MessageFields
    asked = _read(fields, shape, version, model)
    if asked.max_tokens > model.max_output:
        said = f"max_tokens: {asked.max_tokens} > {model.max_output}, which is the maximum allowed number of"
        raise refused(f"{said} output tokens for {model.name}")
    if isinstance(asked, SampledMessageFields):
        _check_sampling(asked, model)
    if not all(stop.strip() for stop in asked.stop_sequences):
        raise refused("stop_sequences: each stop sequence must contain non-whitespace")
    input_tokens = _input_tokens(asked)
    if input_tokens > model.context:
        raise Refused(context_overflow(model, input_tokens))
    texts = [message.text for message in asked.messages]
    ask = Ask(
        prompt="\n".join([asked.system_text, *texts]),
        question=texts[-1],
        prompt_tokens=input_tokens,
        max_tokens=min(asked.max_tokens, model.context - input_tokens),
        stops=tuple(asked.stop_sequences),
        tool=_forced_tool(asked),
        schema=_json_schema(asked),
    )
    return Call(ask=ask, stream=asked.stream)


def _read(fields: Mapping[str, Any], shape: type[F], version: str, model: AnthropicModel) -> F:
    try:
        asked = fit(fields, shape)
    except Unfit as error:
        raise unfit(error.complaint) from None
    if asked.thinking is not None and asked.thinking.type == "enabled" and not model.legacy:
        raise refused(
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
            '"output_config.effort" to control thinking behavior.'
        )
    _check_turns(asked.messages, model)
    _check_blocks(asked.messages, version)
    return asked


def _check_sampling(asked: SampledMessageFields, model: AnthropicModel) -> None:
    given = {"temperature": asked.temperature, "top_p": asked.top_p, "top_k": asked.top_k}
    for name, value in given.items():
        if value is not None and not model.legacy and (name, value) != ("temperature", 1):
            raise refused(f"`{name}` is deprecated for this model.")


def _check_turns(messages: Sequence[Message], model: AnthropicModel) -> None:
    for index, message in enumerate(messages):
        if message.role == "system" and (index == 0 or model.legacy):
            said = 'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter'
            raise refused(f'{said}, not "system" as an input message role.')
        if message.role not in ("user", "assistant", "system"):
            raise refused(f"messages.{index}.role: Input should be 'user' or 'assistant'")
        if not message.content:
            said = "all messages must have non-empty content except for the optional final assistant message"
            raise refused(f"messages.{index}: {said}")
    if messages[0].role != "user":
        raise refused('messages: first message must use the "user" role')
    if messages[-1].role == "assistant" and not model.legacy:
        said = "This model does not support assistant message prefill."
        raise refused(f"{said} The conversation must end with a user message.")


def _check_blocks(messages: Sequence[Message], version: str) -> None:
    calls: set[str] = set()
    for index, message in enumerate(messages):
        for number, block in enumerate(message.blocks):
            where = f"messages.{index}.content.{number}"
            if block.type == "text" and not block.text:
                raise refused("messages: text content blocks must be non-empty")
            if block.type == "tool_result" and block.tool_use_id not in calls:
                said = f"unexpected `tool_use_id` found in `tool_result` blocks: {block.tool_use_id}. Each"
                rule = "`tool_result` block must have a corresponding `tool_use` block in the previous message."
                raise refused(f"{where}: {said} {rule}")
            if version == VERSION_2026 and block.type == "document" and message.role == "assistant":
                raise refused(f"{where}: `document` blocks are not permitted in assistant messages")
            if version == VERSION_2026 and block.type == "text" and block.citations and message.role == "user":
                raise refused(f"{where}.citations: must be empty in user messages")
        calls = {block.id for block in message.blocks if block.type == "tool_use"}


def _forced_tool(asked: MessageFields) -> Tool | None:
    for index, tool in enumerate(asked.tools):
        if tool.type in (None, "custom") and tool.input_schema is None:
            raise refused(f"tools.{index}.custom.input_schema: Field required")
        if not usable(tool.input_schema or {}):
            raise refused(f"tools.{index}.custom.input_schema: JSON schema is invalid")
    choice = asked.tool_choice
    if choice is None:
        return None
    if not asked.tools:
        raise refused("tool_choice: may only be specified while providing tools")
    if choice.type in ("auto", "none"):
        return None
    for tool in asked.tools:
        if choice.type == "any" or tool.name == choice.name:
            return Tool(tool.name, tool.input_schema or {})
    raise refused(f"Tool '{choice.name}' not found in provided tools")


def _json_schema(asked: MessageFields) -> dict[str, Any] | None:
    if asked.output_config is None or asked.output_config.format is None:
        return None
    schema = asked.output_config.format.schema
    if not usable(schema):
        raise refused("output_config.format.schema: JSON schema is invalid")
    if open_object(schema):
        said = "For 'object' type, 'additionalProperties' must be explicitly set to false"
        raise refused(f"output_config.format.schema: {said}")
    return schema


def _input_tokens(asked: CountFields) -> int:
    tokens = count_tokens(asked.system_text)
    for message in asked.messages:
        tokens += count_tokens(message.text) + _TOKENS_PER_MESSAGE
        tokens += TOKENS_PER_ATTACHMENT * sum(block.type in ("image", "document") for block in message.blocks)
    for tool in asked.tools:
        tokens += count_tokens(tool.name) + count_tokens(json.dumps(tool.input_schema))
    return tokens
