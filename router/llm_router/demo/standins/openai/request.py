"""OpenAI's chat request, read as strictly as the real API reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from ..chat import Ask, Tool
from ..complaints import Unfit, fit
from ..dialect import Refused
from ..models import OpenAIModel
from ..samples import open_object, usable
from ..text import TOKENS_PER_ATTACHMENT, count_tokens
from .errors import context_overflow, refused, unfit
from .fields import ChatFields, Message, NamedTool, ResponseFormat, StreamOptions

_TOKENS_PER_MESSAGE = 4


class Call(Struct, frozen=True, kw_only=True):
    """A chat request that is in order. ``named_tool`` is true where it forces one tool by name."""

    ask: Ask
    choices: int
    stream: bool
    include_usage: bool
    obfuscate: bool
    named_tool: bool


def read_call(fields: Mapping[str, Any], model: OpenAIModel) -> Call:
    """Raises ``Refused``."""
    try:
        chat = fit(fields, ChatFields)
    except Unfit as error:
        raise unfit(error.complaint) from None
    _check_turns(chat.messages)
    _check_for_model(chat, model)
    texts = [message.text for message in chat.messages]
    prompt_tokens = sum(count_tokens(text) + _TOKENS_PER_MESSAGE for text in texts)
    prompt_tokens += TOKENS_PER_ATTACHMENT * sum(message.attachments for message in chat.messages)
    prompt_tokens += count_tokens(json.dumps(fields["tools"])) if chat.tools else 0
    if chat.stream_options and not chat.stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise refused(message, "stream_options")
    options = chat.stream_options or StreamOptions()
    return Call(
        ask=Ask(
            prompt="\n".join(texts),
            question=texts[-1],
            prompt_tokens=prompt_tokens,
            max_tokens=_limit(chat, model, prompt_tokens),
            stops=(chat.stop,) if isinstance(chat.stop, str) else tuple(chat.stop or ()),
            tool=_forced_tool(chat),
            schema=_json_schema(chat.response_format, texts),
        ),
        choices=chat.n or 1,
        stream=chat.stream is True,
        include_usage=options.include_usage is True,
        obfuscate=options.include_obfuscation is not False,
        named_tool=isinstance(chat.tool_choice, NamedTool),
    )


def _check_turns(messages: Sequence[Message]) -> None:
    calls_open = False
    for index, message in enumerate(messages):
        if message.role == "tool" and not calls_open:
            raise refused(
                "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                "'tool_calls'.",
                f"messages[{index}].role",
            )
        if message.content is None and message.role != "assistant":
            raise refused("Invalid value for 'content': expected a string, got null.", f"messages[{index}].content")
        calls_open = bool(message.tool_calls) or (calls_open and message.role == "tool")


def _check_for_model(chat: ChatFields, model: OpenAIModel) -> None:
    if chat.max_tokens is not None and chat.max_completion_tokens is not None:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise refused(message, "max_tokens", "invalid_parameter_combination")
    if chat.max_tokens is not None and not model.max_tokens_field:
        message = "Unsupported parameter: 'max_tokens' is not supported with this model."
        raise refused(f"{message} Use 'max_completion_tokens' instead.", "max_tokens", "unsupported_parameter")
    if chat.temperature not in (None, 1) and not model.temperature:
        message = f"Unsupported value: 'temperature' does not support {chat.temperature:g} with this model."
        raise refused(f"{message} Only the default (1) value is supported.", "temperature", "unsupported_value")
    if chat.logprobs:
        raise refused("You are not allowed to request logprobs from this model", status=403)


def _limit(chat: ChatFields, model: OpenAIModel, prompt_tokens: int) -> int:
    name = "max_tokens" if chat.max_tokens is not None else "max_completion_tokens"
    asked: int = chat.max_tokens or chat.max_completion_tokens or model.max_output
    if asked > model.max_output:
        most = f"This model supports at most {model.max_output} completion tokens, whereas you provided {asked}."
        raise refused(f"{name} is too large: {asked}. {most}", name, "invalid_value")
    if prompt_tokens >= model.context:
        raise Refused(context_overflow(model, prompt_tokens))
    return min(asked, model.context - prompt_tokens)


def _forced_tool(chat: ChatFields) -> Tool | None:
    choice, tools = chat.tool_choice, [tool.function for tool in chat.tools or ()]
    if choice is not None and not tools:
        message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
        raise refused(message, "tool_choice")
    for index, function in enumerate(tools):
        if not usable(function.parameters or {}):
            at = f"tools[{index}].function.parameters"
            raise refused(f"Invalid schema for function '{function.name}'.", at, "invalid_function_parameters")
    if choice == "required":
        return Tool(tools[0].name, tools[0].parameters or {})
    if not isinstance(choice, NamedTool):
        return None
    for function in tools:
        if function.name == choice.function.name:
            return Tool(function.name, function.parameters or {})
    message = f"Invalid value for 'tool_choice': no function named '{choice.function.name}' was specified in 'tools'."
    raise refused(message, "tool_choice")


def _json_schema(wanted: ResponseFormat | None, texts: Sequence[str]) -> dict[str, Any] | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        if not any("json" in text.lower() for text in texts):
            message = "'messages' must contain the word 'json' in some form, to use 'response_format' of type"
            raise refused(f"{message} 'json_object'.", "messages")
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    if wanted.json_schema is None:
        missing = "response_format.json_schema"
        raise refused(f"Missing required parameter: '{missing}'.", missing, "missing_required_parameter")
    named = wanted.json_schema
    message = f"Invalid schema for response_format '{named.name}'"
    if not usable(named.schema):
        raise refused(f"{message}.", "response_format")
    if named.strict and open_object(named.schema):
        said = "In context=(), 'additionalProperties' is required to be supplied and to be false."
        raise refused(f"{message}: {said}", "response_format")
    return named.schema
