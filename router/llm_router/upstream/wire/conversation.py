"""A chat request read for translation: the conversation as turns of two speakers, in nobody's wire format.

What OpenAI's format can say and the others cannot (audio, files, the old ``functions``) is refused here, by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from msgspec import Struct

from ...errors import ClientError
from ...routing.facts import ChatRequest
from ...routing.strict_json import encode_object
from .fields import unsupported_field

_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.+=-]+)*;base64,", re.ASCII)
_PATH = re.compile(r" - at `\$\.?(.*)`$")

# ---------------------------------------------------------------- what comes out


class Text(Struct, frozen=True):
    text: str


class InlineImage(Struct, frozen=True):
    """``data`` is base64."""

    media_type: str
    data: str


class LinkedImage(Struct, frozen=True):
    url: str


class Call(Struct, frozen=True):
    """A tool call that the assistant made. ``signature`` is Gemini's own, empty for calls of other models."""

    id: str
    name: str
    arguments: dict[str, Any]
    signature: str = ""


class Result(Struct, frozen=True):
    """What a tool call brought. ``name`` is that of the call."""

    call_id: str
    name: str
    text: str


Part = Text | InlineImage | LinkedImage | Call | Result


class Turn(Struct, frozen=True):
    speaker: Literal["user", "assistant"]
    parts: list[Part]


class Tool(Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Conversation(Struct, frozen=True, kw_only=True):
    """``tool_choice`` is ``auto``, ``none``, ``required`` or a ``Tool`` that is named; ``None`` if nothing is said.
    ``json`` is a JSON schema that the answer must follow, ``{}`` for any JSON, ``None`` for text."""

    system: list[str]
    turns: list[Turn]
    tools: list[Tool]
    tool_choice: Literal["auto", "none", "required"] | Tool | None
    parallel_tool_calls: bool | None
    json: dict[str, Any] | None
    stop: list[str]
    temperature: float | None
    top_p: float | None
    seed: int | None
    user: str | None


# ---------------------------------------------------------------- what goes in


class _ImageUrl(Struct):
    url: str


class _Part(Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: _ImageUrl | str | None = None


class _CalledFunction(Struct):
    name: str
    arguments: str | None = None


class _ToolCall(Struct):
    id: str
    function: _CalledFunction
    extra_content: Any = None


class _Message(Struct):
    role: str
    content: str | list[_Part] | None = None
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: Any = None
    audio: Any = None


class _ToolSpec(Struct):
    type: str
    function: Tool | None = None


class _ToolChoice(Struct):
    type: str
    function: Tool | None = None


class _JsonSchema(Struct):
    schema: dict[str, Any] | None = None


class _ResponseFormat(Struct):
    type: str
    json_schema: _JsonSchema | None = None


class _Chat(Struct):
    messages: list[_Message]
    tools: list[_ToolSpec] | None = None
    tool_choice: str | _ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: _ResponseFormat | None = None
    stop: str | list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    user: str | None = None
    safety_identifier: str | None = None


_decode = msgspec.json.Decoder(_Chat).decode


def read_conversation(chat: ChatRequest, upstream: str) -> Conversation:
    """``upstream`` is named in what is refused. Raises ``ClientError`` naming the field at fault."""
    try:
        parsed = _decode(encode_object(chat.fields))
    except msgspec.ValidationError as exc:
        found = _PATH.search(str(exc))
        message = _PATH.sub("", str(exc)) + "."
        raise ClientError(400, "invalid_request_error", message, param=found.group(1) if found else None) from exc
    system, turns = _Turns(upstream).read(parsed.messages)
    return Conversation(
        system=system,
        turns=turns,
        tools=[_tool(spec, f"tools[{index}]", upstream) for index, spec in enumerate(parsed.tools or ())],
        tool_choice=_tool_choice(parsed.tool_choice, upstream),
        parallel_tool_calls=parsed.parallel_tool_calls,
        json=_json(parsed.response_format, upstream),
        stop=[parsed.stop] if isinstance(parsed.stop, str) else parsed.stop or [],
        temperature=parsed.temperature,
        top_p=parsed.top_p,
        seed=parsed.seed,
        user=parsed.user or parsed.safety_identifier,
    )


class _Turns:
    """Reads messages into turns: a speaker's consecutive messages are one turn, tool results are the user's."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._system: list[str] = []
        self._turns: list[Turn] = []
        self._called: dict[str, str] = {}

    def read(self, messages: Iterable[_Message]) -> tuple[list[str], list[Turn]]:
        for index, message in enumerate(messages):
            where = f"messages[{index}]"
            if message.role in ("system", "developer"):
                self._system += [part.text for part in self._texts(message, where)]
            elif message.role == "user":
                self._say("user", self._parts(message, where))
            elif message.role == "assistant":
                self._say("assistant", self._answered(message, where))
            elif message.role == "tool":
                self._say("user", [self._result(message, where)])
            else:
                raise self._unsupported(f"{where}.role", f"The role {message.role!r}")
        if not self._turns and self._system:
            # The others want a user's turn; instructions alone are then what is asked.
            return [], [Turn("user", [Text(text) for text in self._system])]
        return self._system, self._turns

    def _say(self, speaker: Literal["user", "assistant"], parts: list[Part]) -> None:
        if self._turns and self._turns[-1].speaker == speaker:
            self._turns[-1].parts.extend(parts)
        elif parts:
            self._turns.append(Turn(speaker, parts))

    def _parts(self, message: _Message, where: str) -> list[Part]:
        """Empty texts say nothing, and the others refuse them."""
        if isinstance(message.content, str):
            return [Text(message.content)] if message.content else []
        parts: list[Part] = []
        for index, part in enumerate(message.content or ()):
            at = f"{where}.content[{index}]"
            if part.type == "image_url":
                parts.append(_image(part, at))
            elif part.type not in ("text", "refusal"):
                raise self._unsupported(f"{at}.type", f"{part.type!r} content")
            elif text := part.text or part.refusal:
                parts.append(Text(text))
        return parts

    def _texts(self, message: _Message, where: str) -> list[Text]:
        texts = []
        for index, part in enumerate(self._parts(message, where)):
            if not isinstance(part, Text):
                what = f"A picture in a message of role {message.role!r}"
                raise self._unsupported(f"{where}.content[{index}]", what)
            texts.append(part)
        return texts

    def _answered(self, message: _Message, where: str) -> list[Part]:
        for name in ("function_call", "audio"):
            if getattr(message, name) is not None:
                raise self._unsupported(f"{where}.{name}", f"The field {name!r}")
        parts: list[Part] = list(self._texts(message, where))
        for index, call in enumerate(message.tool_calls or ()):
            arguments = _arguments(call, f"{where}.tool_calls[{index}].function.arguments")
            self._called[call.id] = call.function.name
            parts.append(Call(call.id, call.function.name, arguments, _signature(call.extra_content)))
        return parts

    def _result(self, message: _Message, where: str) -> Result:
        name = self._called.get(message.tool_call_id or "")
        if message.tool_call_id is None or name is None:
            text = "A tool message must answer a tool call of an assistant message before it."
            raise ClientError(400, "invalid_request_error", text, param=f"{where}.tool_call_id")
        return Result(message.tool_call_id, name, "".join(part.text for part in self._texts(message, where)))

    def _unsupported(self, param: str, what: str) -> ClientError:
        return unsupported_field(param, what, self._upstream)


def _image(part: _Part, where: str) -> InlineImage | LinkedImage:
    url = part.image_url.url if isinstance(part.image_url, _ImageUrl) else part.image_url
    if url and (found := _DATA_URI.match(url)):
        return InlineImage(found.group(1), url[found.end() :])
    if url and url.startswith(("https://", "http://")):
        return LinkedImage(url)
    message = "A picture must be an http(s) URL or a base64 data URI."
    raise ClientError(400, "invalid_request_error", message, param=f"{where}.image_url.url")


def _arguments(call: _ToolCall, param: str) -> dict[str, Any]:
    if not (call.function.arguments or "").strip():
        return {}
    try:
        arguments: dict[str, Any] = msgspec.json.decode(call.function.arguments or "", type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as exc:
        raise ClientError(400, "invalid_request_error", "The arguments must be a JSON object.", param=param) from exc
    return arguments


def _signature(extra_content: object) -> str:
    """Where Google's own OpenAI-compatible API puts the signature, and the reader of Gemini's stream too."""
    google = extra_content.get("google") if isinstance(extra_content, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return signature if isinstance(signature, str) else ""


def _tool(spec: _ToolSpec, where: str, upstream: str) -> Tool:
    if spec.type != "function" or spec.function is None:
        raise unsupported_field(f"{where}.type", f"A tool of type {spec.type[:64]!r}", upstream)
    return spec.function


def _tool_choice(choice: str | _ToolChoice | None, upstream: str) -> Literal["auto", "none", "required"] | Tool | None:
    if choice is None or choice in ("auto", "none", "required"):
        return choice  # type: ignore[return-value]  # one of these strings
    if isinstance(choice, _ToolChoice) and choice.type == "function" and choice.function is not None:
        return choice.function
    raise unsupported_field("tool_choice", "This choice of tools", upstream)


def _json(wanted: _ResponseFormat | None, upstream: str) -> dict[str, Any] | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return {}
    if wanted.type == "json_schema" and wanted.json_schema is not None:
        return wanted.json_schema.schema or {}
    raise unsupported_field("response_format", f"A response format of type {wanted.type[:64]!r}", upstream)
