"""What the router understands of a program's own requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..errors import ClientError
from ..model import Facts, Requirements
from ..routing.facts import ChatRequest, facts_of, read_chat
from ..routing.requirements import AUTO


def chat_of(request: object) -> ChatRequest | None:
    """A text is a prompt, a mapping the body of OpenAI's chat completions (``prompt`` may stand for ``messages``, and
    ``model`` may be missing). ``None`` for anything else: then only the program knows what it means.

    Raises ``ClientError`` 400 for a mapping with ``messages`` or ``prompt`` that is no chat request all the same.
    """
    if isinstance(request, ChatRequest):
        return request
    if isinstance(request, str):
        return _read({"messages": _prompt(request)})
    if not isinstance(request, Mapping):
        return None
    if "messages" in request:
        return _read(request)
    if isinstance(prompt := request.get("prompt"), str):
        others = {name: value for name, value in request.items() if name != "prompt"}
        return _read({**others, "messages": _prompt(prompt)})
    return None


def facts_for(request: object, requirements: Requirements, strategy: str) -> Facts:
    """The facts that a decision may depend on. Of a request that is not understood nothing is known but that it is
    one."""
    chat = chat_of(request)
    if chat is None:
        return Facts(model=AUTO, requirements=requirements, strategy=strategy)
    return facts_of(chat, requirements, strategy=strategy)


def _read(body: Mapping[str, Any]) -> ChatRequest:
    try:
        encoded = msgspec.json.encode({"model": AUTO, **body})
    except TypeError as exc:
        raise ClientError(400, "invalid_request_error", f"The request cannot be written as JSON: {exc}.") from exc
    return read_chat(encoded)


def _prompt(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]
