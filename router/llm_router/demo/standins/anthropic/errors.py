"""Anthropic's error bodies, in its own words and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args
from uuid import uuid4

from ..complaints import Complaint
from ..dialect import Document, Header, Refused, Trouble, dump, retry_header
from ..models import AnthropicModel
from .fields import BlockType

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_NOUNS = {
    "int": "integer",
    "float": "number",
    "str": "string",
    "array": "list",
    "object": "dictionary",
    "bool": "boolean",
}


def problem(
    status: int, message: str, *, details: Mapping[str, Any] | None = None, headers: Sequence[Header] = ()
) -> Document:
    request_id = f"req_{uuid4().hex}"
    error: dict[str, Any] = {"type": _TYPES.get(status, "api_error"), "message": message}
    if details is not None:
        error["details"] = details
    body = {"type": "error", "error": error, "request_id": request_id}
    return Document(body=dump(body), status=status, headers=[*headers, ("request-id", request_id)])


def refused(message: str, *, status: int = 400) -> Refused:
    return Refused(problem(status, message))


def context_overflow(model: AnthropicModel, input_tokens: int) -> Document:
    return problem(400, f"prompt is too long: {input_tokens} tokens > {model.context} maximum")


def trouble(kind: Trouble, model: AnthropicModel, *, status: int = 500, retry_after: str | None = None) -> Document:
    wait = retry_header(retry_after)
    match kind:
        case "rate_limit":
            message = "This request would exceed your organization's rate limit of 50 requests per minute."
            return problem(429, message, headers=wait)
        case "quota":
            message = "Your organization has reached the monthly usage threshold of its tier."
            return problem(429, message, details={"error_code": "enforced_spend_limit_reached"})
        case "overloaded":
            return problem(529, "Overloaded", headers=wait)
        case "context_overflow":
            return context_overflow(model, model.context + 1)
        case "content_policy":
            return problem(400, "Output blocked by content filtering policy")
        case "too_large":
            return problem(413, "Request exceeds the maximum size")
        case "malformed_json":
            return problem(400, "The request body is not valid JSON")
        case "status":
            return problem(status, "Internal server error", headers=wait)


def unfit(complaint: Complaint) -> Refused:
    where = ".".join(str(step) for step in complaint.path)
    match complaint.kind:
        case "unknown":
            return refused(f"{where}: Extra inputs are not permitted")
        case "missing":
            return refused(f"{where}: Field required")
        case "short":
            return refused(f"{where}: at least one message is required")
        case "low" | "high" if where in ("temperature", "top_p"):
            return refused(f"{where}: range: 0..1")
        case "low":
            return refused(f"{where}: Input should be greater than or equal to {complaint.expected}")
        case "choice" if "content" in complaint.path:
            tags = ", ".join(repr(tag) for tag in get_args(BlockType))
            found = f"Input tag '{complaint.value}' found using 'type' does not match any of the expected tags: {tags}"
            return refused(f"{where.removesuffix('.type')}: {found}")
        case "type":
            noun = _NOUNS.get(complaint.expected.split(" | ", 1)[0], "object")
            return refused(f"{where}: Input should be a valid {noun}")
        case _:
            return refused(f"{where}: Input should be a permitted value, not '{complaint.value}'")
