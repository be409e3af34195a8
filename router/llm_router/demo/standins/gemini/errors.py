"""Gemini's error bodies: ``google.rpc.Status`` as JSON, with the waiting time in the body instead of a header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..complaints import Complaint, Path
from ..dialect import Document, Refused, Trouble, dump
from ..models import GeminiModel

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_RPC = "type.googleapis.com/google.rpc."
_KINDS = {"int": "TYPE_INT32", "float": "TYPE_FLOAT", "str": "TYPE_STRING", "bool": "TYPE_BOOL"}


def problem(status: int, message: str, *, details: Sequence[dict[str, Any]] = ()) -> Document:
    error: dict[str, Any] = {"code": status, "message": message, "status": _STATUS.get(status, "UNKNOWN")}
    if details:
        error["details"] = details
    return Document(body=dump({"error": error}), status=status, content_type="application/json; charset=UTF-8")


def refused(message: str, *, status: int = 400, details: Sequence[dict[str, Any]] = ()) -> Refused:
    return Refused(problem(status, message, details=details))


def invalid_key() -> Refused:
    """A wrong key is 400 here, and told by its reason only; a missing one is 403."""
    message = "API key not valid. Please pass a valid API key."
    service = {"service": "generativelanguage.googleapis.com"}
    reason = {"@type": f"{_RPC}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com", "metadata": service}
    localized = {"@type": f"{_RPC}LocalizedMessage", "locale": "en-US", "message": message}
    return refused(message, details=[reason, localized])


def context_overflow(model: GeminiModel, prompt_tokens: int) -> Document:
    most = f"exceeds the maximum number of tokens allowed ({model.context})."
    return problem(400, f"The input token count ({prompt_tokens}) {most}")


def trouble(kind: Trouble, model: GeminiModel, *, status: int = 500, retry_after: str | None = None) -> Document:
    wait = _retry_info(retry_after)
    match kind:
        case "rate_limit":
            said = "You exceeded your current quota, please check your plan and billing details."
            metric = "generativelanguage.googleapis.com/generate_content_paid_tier_input_token_count"
            quota_id = "GenerateContentPaidTierInputTokensPerModelPerMinute"
            dimensions = {"location": "global", "model": model.name}
            violation = {"quotaMetric": metric, "quotaId": quota_id, "quotaDimensions": dimensions}
            return problem(429, said, details=[{"@type": f"{_RPC}QuotaFailure", "violations": [violation]}, *wait])
        case "quota":
            return problem(402, "Your prepayment credits are depleted. Please manage your project and billing.")
        case "overloaded":
            return problem(503, "The model is overloaded. Please try again later.", details=wait)
        case "context_overflow":
            return context_overflow(model, model.context + 1)
        case "content_policy":  # not an error here: an answer without candidates, see answers.blocked
            return problem(400, "The prompt was blocked.")
        case "too_large":
            return problem(400, "Request payload size exceeds the limit: 20971520 bytes.")
        case "malformed_json":
            return problem(400, "Invalid JSON payload received. Unexpected token.")
        case "status":
            return problem(status, "An internal error has occurred. Please retry or report.", details=wait)


def unfit(complaint: Complaint) -> Refused:
    if complaint.kind == "unknown":
        *parents, name = complaint.path
        at = f" at '{_proto(tuple(parents))}'" if parents else ""
        message = f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.'
    elif complaint.kind == "missing":
        message = f"* GenerateContentRequest.{_proto(complaint.path)}: required field is missing"
    else:
        kind = _KINDS.get(complaint.expected.split(" | ", 1)[0], "TYPE_MESSAGE")
        kind = "TYPE_ENUM" if complaint.kind == "choice" else kind
        message = f"Invalid value at '{_proto(complaint.path)}' ({kind}), \"{complaint.value}\""
    violation = {"field": _proto(complaint.path[:-1]), "description": message}
    return refused(message, details=[{"@type": f"{_RPC}BadRequest", "fieldViolations": [violation]}])


def _retry_info(retry_after: str | None) -> list[dict[str, Any]]:
    if retry_after is None or not retry_after.replace(".", "", 1).isdigit():
        return []
    return [{"@type": f"{_RPC}RetryInfo", "retryDelay": f"{retry_after}s"}]


def _proto(path: Path) -> str:
    """The path as the API names it in errors: proto field names, which are snake_case."""
    steps = (f"[{step}]" if isinstance(step, int) else "." + re.sub(r"([A-Z])", r"_\1", step).lower() for step in path)
    return "".join(steps).removeprefix(".")
