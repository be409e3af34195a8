"""What a request is: the caller's JSON read once, strictly, and boiled down to the facts that a decision may use."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from ..errors import ClientError
from ..model import Facts, Requirements
from ..pricing.estimate import PRIOR_OUTPUT_TOKENS, surely_fits
from .categories import NO_CATEGORIES, Categories
from .complexity import score
from .strict_json import strict_object

MODEL_NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}")
ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
NEEDS = frozenset({"tools", "vision", "audio", "json_schema", "json_object", "n", "logprobs", "stream"})
"""Features of a request that change the meaning of its answer: who cannot take them is not asked. (``Facts`` has
``stream`` in a field of its own.)"""

MAX_MESSAGES = 2048
MAX_CHOICES = 8
MAX_TOKENS = 2**31 - 1
"""Far above every window, and small enough that what it may cost still is a number for limits and stores."""

BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
TOKENS_PER_IMAGE = 765
"""A 1024×1024 picture in OpenAI's high detail; others are of this order."""


def _shown(**words: Any) -> Meta:
    """What the OpenAPI document says of a field; ``_check`` refuses the rest, in words of its own."""
    return Meta(extra_json_schema=words)


MaxTokens = Annotated[int, _shown(minimum=1, maximum=MAX_TOKENS)]


class Message(Struct):
    """As much of a chat message as the router reads; its other fields are passed on."""

    role: Annotated[str, _shown(enum=sorted(ROLES))]
    content: str | list[dict[str, Any]] | None = None


class ChatRequest(Struct, frozen=True, kw_only=True):
    """An OpenAI chat request: the fields that the router reads, and every top-level field as the bytes it came in, so
    that what is passed on is what was sent. ``longest_answer`` is the operator's bound on the tokens of an answer;
    ``max_tokens``, the caller's, is not above it."""

    fields: dict[str, Raw]
    model: str
    messages: list[Message]
    stream: bool
    include_usage: bool
    max_tokens: int | None
    needs: frozenset[str]
    answers: int = 1
    longest_answer: int | None = None


class StreamOptions(Struct):
    include_usage: bool | None = None


class ResponseFormat(Struct):
    type: str


class ChatBody(Struct):
    """As much of OpenAI's chat request as the router reads; its other fields are passed on."""

    model: Annotated[str, _shown(pattern=f"^{MODEL_NAME.pattern}$")]
    messages: Annotated[list[Message], _shown(minItems=1, maxItems=MAX_MESSAGES)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: MaxTokens | None = None
    max_completion_tokens: MaxTokens | None = None
    n: Annotated[int, _shown(minimum=1, maximum=MAX_CHOICES)] | None = None
    logprobs: bool | None = None
    tools: list[Raw] | None = None
    functions: list[Raw] | None = None
    response_format: ResponseFormat | None = None
    modalities: list[str] | UnsetType | None = UNSET


_MAX_TOKENS = ("max_tokens", "max_completion_tokens")
_NULL = Raw(b"null")
_decode = msgspec.json.Decoder(ChatBody).decode
_PATH = re.compile(r" - at `\$\.?(.*)`$")


def read_chat(body: bytes, longest_answer: int | None = None) -> ChatRequest:
    """The body of ``POST /v1/chat/completions``; a ``max_tokens`` above ``longest_answer`` is lowered to it. Raises
    ``ClientError`` 400 that names the field at fault."""
    fields = strict_object(body)
    try:
        parsed = _decode(body)
    except msgspec.ValidationError as exc:
        raise _invalid(exc) from exc
    _check(parsed)
    max_tokens = _max_tokens(parsed)
    if max_tokens is not None and longest_answer is not None and max_tokens > longest_answer:
        max_tokens = longest_answer
        fields = _with_max_tokens(fields, max_tokens)
    return ChatRequest(
        fields=fields,
        model=parsed.model,
        messages=parsed.messages,
        stream=bool(parsed.stream),
        include_usage=bool(parsed.stream_options and parsed.stream_options.include_usage),
        max_tokens=max_tokens,
        needs=frozenset(_needs(parsed)),
        answers=parsed.n or 1,
        longest_answer=longest_answer,
    )


def bounded(chat: ChatRequest, context_length: int | None) -> ChatRequest:
    """What a target with this window is sent: the operator's bound for who states none, unless prompt and bound may not
    fit the window, which then is the bound."""
    longest = chat.longest_answer
    if longest is None or chat.max_tokens is not None:
        return chat
    if context_length is not None and not surely_fits(estimate_input_tokens(chat), longest, context_length):
        return chat
    return msgspec.structs.replace(chat, max_tokens=longest, fields=_with_max_tokens(chat.fields, longest))


def facts_of(
    chat: ChatRequest,
    requirements: Requirements,
    *,
    strategy: str | None = None,
    session: str | None = None,
    key: str | None = None,
    client_region: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    categories: Categories = NO_CATEGORIES,
    belongs_to: frozenset[str] | None = None,
) -> Facts:
    """The facts of a chat request under these requirements. ``belongs_to`` are those of the ``categories`` that the
    prompt belongs to, where somebody knows better than its letters."""
    text = asked_text(chat)
    if belongs_to is None:
        belongs_to = categories.of(text)
    return Facts(
        model=chat.model,
        stream=chat.stream,
        input_tokens=estimate_input_tokens(chat),
        max_tokens=chat.max_tokens,
        longest_answer=chat.longest_answer,
        expected_output_tokens=min(chat.max_tokens or PRIOR_OUTPUT_TOKENS, PRIOR_OUTPUT_TOKENS),
        answers=chat.answers,
        complexity=categories.complexity(score(text), belongs_to),
        categories=belongs_to,
        needs=chat.needs,
        requirements=requirements,
        strategy=strategy,
        session=session,
        key=key,
        client_region=client_region,
        headers=headers,
    )


def estimate_input_tokens(chat: ChatRequest) -> int:
    """Prompt tokens before sending: UTF-8 bytes of all texts over four, a few a message, pictures and tools extra."""
    size = images = 0
    for message in chat.messages:
        if isinstance(message.content, str):
            size += len(message.content.encode())
        for part in message.content if isinstance(message.content, list) else ():
            if part.get("type") == "image_url":
                images += 1
            else:
                size += len(str(part.get("text", "")).encode())
    if "tools" in chat.fields:
        size += len(bytes(chat.fields["tools"]))
    return 1 + size // BYTES_PER_TOKEN + TOKENS_PER_MESSAGE * len(chat.messages) + TOKENS_PER_IMAGE * images


def most_tokens(chat: ChatRequest) -> int:
    """Of prompt and answers together, before anybody knows who answers: the upper bound, or what is expected of answers
    that have none."""
    each = chat.max_tokens or chat.longest_answer or PRIOR_OUTPUT_TOKENS
    return estimate_input_tokens(chat) + each * chat.answers


def asked_text(chat: ChatRequest) -> str:
    """What the user asks now: the last user message. Earlier turns were already answered by somebody."""
    for message in reversed(chat.messages):
        if message.role == "user":
            if isinstance(message.content, str):
                return message.content
            return "\n".join(str(part.get("text", "")) for part in message.content or ())
    return ""


def _check(body: ChatBody) -> None:
    if not MODEL_NAME.fullmatch(body.model):
        raise ClientError(400, "invalid_model", "The model name has characters that no model has.", param="model")
    if not body.messages:
        raise ClientError(400, "invalid_request_error", "At least one message is needed.", param="messages")
    if len(body.messages) > MAX_MESSAGES:
        message = f"At most {MAX_MESSAGES} messages are taken, got {len(body.messages)}."
        raise ClientError(400, "invalid_request_error", message, param="messages")
    for index, item in enumerate(body.messages):
        if item.role not in ROLES:
            message = f"Unknown role {item.role[:40]!r}; known are {', '.join(sorted(ROLES))}."
            raise ClientError(400, "invalid_request_error", message, param=f"messages[{index}].role")
    for name, value, most in (
        ("max_tokens", body.max_tokens, MAX_TOKENS),
        ("max_completion_tokens", body.max_completion_tokens, MAX_TOKENS),
        ("n", body.n, MAX_CHOICES),
    ):
        if value is not None and value < 1:
            raise ClientError(400, "invalid_request_error", f"{name} must be at least 1.", param=name)
        if value is not None and value > most:
            raise ClientError(400, "invalid_request_error", f"{name} may be at most {most}.", param=name)


def _max_tokens(body: ChatBody) -> int | None:
    """By its new name or by its old one: with two values, no two upstreams would take the same."""
    new, old = body.max_completion_tokens, body.max_tokens
    if new is not None and old is not None and new != old:
        message = "max_tokens and max_completion_tokens differ: state one of them."
        raise ClientError(400, "invalid_request_error", message, param="max_tokens")
    return old if new is None else new


def _with_max_tokens(fields: dict[str, Raw], tokens: int) -> dict[str, Raw]:
    """Under the name that is used, or the one that all targets know."""
    stated = [name for name in _MAX_TOKENS if bytes(fields.get(name, _NULL)) != b"null"]
    others = {name: raw for name, raw in fields.items() if name not in _MAX_TOKENS}
    return others | dict.fromkeys(stated or _MAX_TOKENS[:1], Raw(b"%d" % tokens))


def _needs(body: ChatBody) -> list[str]:
    needs = []
    if body.tools or body.functions:
        needs.append("tools")
    if body.n is not None and body.n > 1:
        needs.append("n")
    if body.logprobs:
        needs.append("logprobs")
    if body.response_format is not None and body.response_format.type != "text":
        needs.append("json_schema" if body.response_format.type == "json_schema" else "json_object")
    kinds = {
        str(part.get("type"))
        for message in body.messages
        if isinstance(message.content, list)
        for part in message.content
    }
    if "image_url" in kinds:
        needs.append("vision")
    if "input_audio" in kinds or (isinstance(body.modalities, list) and "audio" in body.modalities):
        needs.append("audio")
    return needs


def _invalid(exc: msgspec.ValidationError) -> ClientError:
    text = str(exc)
    found = _PATH.search(text)
    param = found.group(1) if found else None
    message = _PATH.sub("", text)
    if param is None and "missing required field" in message:
        param = message.split("`")[1]
    return ClientError(400, "invalid_request_error", message + ".", param=param)
