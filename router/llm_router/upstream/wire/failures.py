"""Upstream errors in the router's terms: one table for all protocols, for HTTP answers and for errors inside a stream.

Codes decide, then status; a message is read only where the upstream gives nothing better. The codes that come out are
stable: ``context_length_exceeded``, ``content_policy_violation``, ``insufficient_quota``, ``rate_limit_exceeded``,
``model_not_found``, ``invalid_api_key``, ``request_too_large``, ``timeout``, ``overloaded``, ``server_error``; any
other 4xx keeps the upstream's own code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from ...errors import UpstreamRefused

MAX_MESSAGE_CHARACTERS = 1000


class Told(Struct, frozen=True, kw_only=True):
    """What an upstream says of its error. ``words`` are its machine-readable names for it, lower case, best first:
    code, type, status, reasons."""

    message: str = ""
    words: tuple[str, ...] = ()
    param: str | None = None


_QUOTA = (402, "insufficient_quota")  # whatever it came with: OpenAI says 429, as if waiting would help
_CONTEXT = (400, "context_length_exceeded")
_POLICY = (400, "content_policy_violation")
_NO_MODEL = (404, "model_not_found")
_NO_KEY = (401, "invalid_api_key")
_NO_PERMISSION = (403, "invalid_api_key")
_TOO_MANY = (429, "rate_limit_exceeded")

_BY_WORD: Mapping[str, tuple[int, str]] = {
    "insufficient_quota": _QUOTA,
    "billing_error": _QUOTA,
    "billing_hard_limit_reached": _QUOTA,
    "billing_not_active": _QUOTA,
    "credit_balance_exhausted": _QUOTA,
    "enforced_spend_limit_reached": _QUOTA,
    "daily_quota_exceeded": _QUOTA,
    "context_length_exceeded": _CONTEXT,
    "exceed_context_size_error": _CONTEXT,
    "model_context_window_exceeded": _CONTEXT,
    "content_policy_violation": _POLICY,
    "content_filter": _POLICY,
    "content_policy": _POLICY,
    "invalid_prompt": _POLICY,
    "moderation_blocked": _POLICY,
    "prohibited_content": _POLICY,
    "responsibleaipolicyviolation": _POLICY,
    "model_not_found": _NO_MODEL,
    "not_found_error": _NO_MODEL,
    "not_found": _NO_MODEL,
    "notfounderror": _NO_MODEL,
    "deploymentnotfound": _NO_MODEL,
    "invalid_api_key": _NO_KEY,
    "api_key_invalid": _NO_KEY,
    "authentication_error": _NO_KEY,
    "unauthenticated": _NO_KEY,
    "permission_error": _NO_PERMISSION,
    "permission_denied": _NO_PERMISSION,
    "rate_limit_exceeded": _TOO_MANY,
    "rate_limit_error": _TOO_MANY,
    "resource_exhausted": _TOO_MANY,
    "too_many_requests": _TOO_MANY,
}

_BY_MESSAGE: tuple[tuple[re.Pattern[str], tuple[int, str]], ...] = (
    (re.compile(r"credit balance is too low|insufficient (balance|credits?|funds)", re.I), _QUOTA),
    (re.compile(r"maximum context length|(prompt|input) is too long|too many (input|prompt) tokens", re.I), _CONTEXT),
    (re.compile(r"exceeds? (the )?(available )?context (window|limit|length|size)", re.I), _CONTEXT),
    (re.compile(r"exceeds? the maximum number of tokens|context size has been exceeded", re.I), _CONTEXT),
    (re.compile(r"content (filter|filtering|management) policy|usage (guidelines|policy)", re.I), _POLICY),
    (re.compile(r"(incorrect|invalid) api key|api key not valid", re.I), _NO_KEY),
)
_INVALID = (400, "invalid_request_error")
_OF_THE_REQUEST: Mapping[int, tuple[tuple[re.Pattern[str], tuple[int, str]], ...]] = {
    403: (
        (re.compile(r"not allowed to request (top_)?logprobs", re.I), (400, "unsupported_parameter")),
        (re.compile(r"permission to access the file", re.I), _INVALID),
    ),
    500: (
        (
            re.compile(
                r"failed to parse (messages|tools?)\b|\[json\.exception\.(?!type_error\.316\b)|jinja exception", re.I
            ),
            _INVALID,
        ),
    ),
}
"""Answers that are about what was asked for, whatever their code says: OpenAI's 403 for ``logprobs``, Gemini's for a
file, llama.cpp's 500 for messages of a wrong form or in an order that its chat template does not take. That is the
caller's to mend, and no reason to keep everybody from the target, as a refused key or a broken server is. (Its 316 is
about what the model said.)"""
_READ_THE_MESSAGE = frozenset({400, 403, 413, 422})

_BY_STATUS: Mapping[int, str] = {
    401: "invalid_api_key",
    403: "invalid_api_key",
    404: "model_not_found",
    408: "timeout",
    413: "request_too_large",
    429: "rate_limit_exceeded",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}

_STATUS_OF_WORD: Mapping[str, int] = {
    "overloaded_error": 529,
    "overloaded": 529,
    "unavailable": 503,
    "unavailable_error": 503,
    "timeout_error": 504,
    "deadline_exceeded": 504,
    "request_too_large": 413,
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "failed_precondition": 400,
    "badrequesterror": 400,
}
"""For errors inside a stream, whose HTTP status was 200. A word that is not here nor above is the upstream's fault."""

_OWN_CODE = re.compile(r"[a-z][a-z0-9_]{2,63}")
_SECRET = re.compile(r"\b(sk-|xai-|AIza|llmr_)[\w-]{8,}")


def refusal(told: Told, status: int | None, retry_after_s: float | None = None) -> UpstreamRefused:
    """The error as the router knows it. ``status`` is ``None`` inside a stream."""
    status, code = _by_name(told, status) or _by_status(told, status if status is not None else _in_band_status(told))
    quota = code == "insufficient_quota"
    return UpstreamRefused(
        status,
        code,
        _fit_to_show(told.message) or f"The upstream answered with status {status}.",
        param=told.param,
        retry_after_s=None if quota else retry_after_s,
        quota=quota,
    )


def told_of(error: object, *more_words: object) -> Told:
    """An error object as most protocols have it (``message``, ``code``, ``type``, ``status``, ``param``), or whatever
    came in its place."""
    if isinstance(error, str):
        return Told(message=error, words=_words(*more_words))
    if not isinstance(error, Mapping):
        return Told(words=_words(*more_words))
    message, param = error.get("message") or error.get("detail"), error.get("param")
    return Told(
        message=message if isinstance(message, str) else "",
        words=_words(*more_words, error.get("code"), error.get("type"), error.get("status")),
        param=param if isinstance(param, str) else None,
    )


def error_in(body: bytes) -> Any:
    """The error object of an error answer: its ``error`` where it has one, the whole of it otherwise, the text where
    it is no JSON. A page made for people says nothing."""
    try:
        parsed = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[:MAX_MESSAGE_CHARACTERS].decode(errors="replace").strip()
        return "" if text.startswith("<") else text
    if isinstance(parsed, list) and parsed:  # Gemini's stream without SSE is an array
        parsed = parsed[0]
    return parsed.get("error") or parsed if isinstance(parsed, Mapping) else parsed


def _words(*values: object) -> tuple[str, ...]:
    return tuple(str(value).lower() for value in values if isinstance(value, str | int) and value != "")


def _in_band_status(told: Told) -> int:
    for word in told.words:
        if word.isdecimal() and 400 <= int(word) <= 599:
            return int(word)
    for word in told.words:
        if word in _STATUS_OF_WORD:
            return _STATUS_OF_WORD[word]
    return 500


def _by_name(told: Told, status: int | None) -> tuple[int, str] | None:
    if status == 402 or "402" in told.words:  # Gemini calls it RESOURCE_EXHAUSTED, as it does a rate limit
        return _QUOTA
    for pattern, meaning in _OF_THE_REQUEST.get(status or 0, ()):
        if pattern.search(told.message):
            return meaning
    for word in told.words:
        if word in _BY_WORD:
            return _BY_WORD[word]
    if status is None or status in _READ_THE_MESSAGE:
        for pattern, meaning in _BY_MESSAGE:
            if pattern.search(told.message):
                return meaning
    return None


def _by_status(told: Told, status: int) -> tuple[int, str]:
    if status in _BY_STATUS:
        return status, _BY_STATUS[status]
    return status, _own_code(told) if 400 <= status < 500 else "server_error"


def _own_code(told: Told) -> str:
    own = (word for word in told.words if _OWN_CODE.fullmatch(word) and word not in _STATUS_OF_WORD)
    return next(own, "invalid_request_error")


def _fit_to_show(message: str) -> str:
    """Upstreams repeat what they were sent, keys included."""
    return _SECRET.sub(r"\1…", message[:MAX_MESSAGE_CHARACTERS])
