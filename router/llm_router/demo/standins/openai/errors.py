"""OpenAI's error bodies, in its own words and codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from ..complaints import Complaint
from ..dialect import Document, Header, Refused, Trouble, dump, retry_header
from ..models import OpenAIModel
from .fields import PartType, Role

_CHOICES = {"role": get_args(Role), "type": get_args(PartType)}
_NOUNS = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    list: "an array",
    dict: "an object",
}


def problem(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    kind: str = "invalid_request_error",
    headers: Sequence[Header] = (),
) -> Document:
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return Document(body=dump(body), status=status, headers=headers)


def refused(message: str, param: str | None = None, code: str | None = None, *, status: int = 400) -> Refused:
    return Refused(problem(status, message, param=param, code=code))


def context_overflow(model: OpenAIModel, prompt_tokens: int) -> Document:
    message = f"This model's maximum context length is {model.context} tokens. However, your messages resulted in"
    return problem(
        400,
        f"{message} {prompt_tokens} tokens. Please reduce the length of the messages.",
        param="messages",
        code="context_length_exceeded",
    )


def trouble(kind: Trouble, model: OpenAIModel, *, status: int = 500, retry_after: str | None = None) -> Document:
    wait = retry_header(retry_after)
    match kind:
        case "rate_limit":
            message = f"Rate limit reached for {model.name} on requests per min (RPM): Limit 500, Used 500."
            return problem(429, message, kind="requests", code="rate_limit_exceeded", headers=wait)
        case "quota":
            message = "You exceeded your current quota, please check your plan and billing details."
            return problem(429, message, kind="insufficient_quota", code="insufficient_quota")
        case "overloaded":
            message = "The engine is currently overloaded, please try again later"
            return problem(503, message, kind="server_error", headers=wait)
        case "context_overflow":
            return context_overflow(model, model.context + 1)
        case "content_policy":
            message = "Your request was rejected as a result of our safety system."
            return problem(400, message, code="content_policy_violation")
        case "too_large":
            return problem(413, "Request body is too large.", code="request_too_large")
        case "malformed_json":
            return problem(400, "We could not parse the JSON body of your request.")
        case "status":
            family = "server_error" if status >= 500 else "invalid_request_error"
            message = "The server had an error while processing your request."
            return problem(status, message, kind=family, headers=wait)


def unfit(complaint: Complaint) -> Refused:
    param = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in complaint.path).removeprefix(".")
    value, expected = complaint.value, complaint.expected
    noun = "decimal" if param in ("temperature", "top_p") or param.endswith("penalty") else "integer"
    match complaint.kind:
        case "unknown":
            return refused(f"Unrecognized request argument supplied: {param}")
        case "missing":
            return refused(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")
        case "choice":
            choices: Sequence[str] = _CHOICES.get(str(complaint.path[-1]), ())
            supported = f" Supported values are: {', '.join(repr(one) for one in choices)}." if choices else ""
            return refused(f"Invalid value: '{value}'.{supported}", param, "invalid_value")
        case "low":
            said = f"{noun} below minimum value. Expected a value >= {expected}, but got {value} instead."
            return refused(f"Invalid '{param}': {said}", param, f"{noun}_below_min_value")
        case "high":
            said = f"{noun} above maximum value. Expected a value <= {expected}, but got {value} instead."
            return refused(f"Invalid '{param}': {said}", param, f"{noun}_above_max_value")
        case "short":
            said = f"empty array. Expected an array with minimum length {expected}, but got an empty array instead."
            return refused(f"Invalid '{param}': {said}", param, "empty_array")
        case "long":
            said = f"array too long. Expected an array with maximum length {expected}, but got {len(value)} instead."
            return refused(f"Invalid '{param}': {said}", param, "array_above_max_length")
        case "type":
            said = f"expected {expected.removesuffix(' | null')}, but got {_noun(value)} instead."
            return refused(f"Invalid type for '{param}': {said}", param, "invalid_type")


def _noun(value: Any) -> str:
    return _NOUNS.get(type(value), "null")
