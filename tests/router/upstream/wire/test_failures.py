"""Errors of all upstreams, as they look on the wire, end in the router's stable codes."""

from __future__ import annotations

from typing import Any

import pytest

from llm_router.upstream.wire import WIRES
from tests.router.upstream.wire.support import http_error


def openai(message: str, kind: str | None = None, code: Any = None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def llama(code: int, message: str, kind: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "type": kind}}


def anthropic(kind: str, message: str, **details: Any) -> dict[str, Any]:
    error: dict[str, Any] = {"type": kind, "message": message}
    if details:
        error["details"] = details
    return {"type": "error", "error": error, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}


def gemini(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}
BAD_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
PER_MINUTE = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}],
}
PER_DAY = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
}

NO_KEY = (401, "invalid_api_key")
NO_PERMISSION = (403, "invalid_api_key")
NO_MODEL = (404, "model_not_found")
TOO_MANY = (429, "rate_limit_exceeded")
NO_QUOTA = (402, "insufficient_quota")
TOO_LONG = (400, "context_length_exceeded")
AGAINST_POLICY = (400, "content_policy_violation")
INVALID = (400, "invalid_request_error")

CASES = [
    (
        "openai",
        401,
        openai("Incorrect API key provided: sk-ab***.", "invalid_request_error", "invalid_api_key"),
        NO_KEY,
    ),
    ("openai", 401, openai("You must be a member of an organization", "invalid_request_error"), NO_KEY),
    (
        "openai",
        403,
        openai(
            "Country, region, or territory not supported", "request_forbidden", "unsupported_country_region_territory"
        ),
        NO_PERMISSION,
    ),
    (
        "openai",
        403,
        openai("Project does not have access to model `gpt-6`", "invalid_request_error", "model_not_found"),
        NO_MODEL,
    ),
    (
        "openai",
        403,
        openai("You are not allowed to request logprobs from this model", "invalid_request_error"),
        (400, "unsupported_parameter"),
    ),
    ("openai", 404, openai("The model `gpt-9` does not exist", "invalid_request_error", "model_not_found"), NO_MODEL),
    ("openai", 429, openai("Rate limit reached for gpt-5.4-mini", "requests", "rate_limit_exceeded"), TOO_MANY),
    ("openai", 429, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), NO_QUOTA),
    (
        "openai",
        429,
        openai("Billing hard limit has been reached", "invalid_request_error", "billing_hard_limit_reached"),
        NO_QUOTA,
    ),
    ("openai", 402, openai("Insufficient credits"), NO_QUOTA),
    (
        "openai",
        400,
        openai(
            "This model's maximum context length is 128000 tokens.",
            "invalid_request_error",
            "context_length_exceeded",
            "messages",
        ),
        TOO_LONG,
    ),
    (
        "openai",
        400,
        {
            "object": "error",
            "message": "This model's maximum context length is 4096 tokens.",
            "type": "BadRequestError",
            "code": 400,
        },
        TOO_LONG,
    ),
    (
        "openai",
        400,
        openai(
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
            "invalid_request_error",
            "invalid_prompt",
        ),
        AGAINST_POLICY,
    ),
    ("openai", 400, openai("The response was filtered", None, "content_filter"), AGAINST_POLICY),
    (
        "openai",
        403,
        {"code": "The caller does not have permission", "error": "Content violates usage guidelines."},
        AGAINST_POLICY,
    ),
    (
        "openai",
        400,
        {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***"},
        NO_KEY,
    ),
    (
        "openai",
        400,
        openai("Unsupported parameter: 'max_tokens'", "invalid_request_error", "unsupported_parameter", "max_tokens"),
        (400, "unsupported_parameter"),
    ),
    (
        "openai",
        400,
        openai(
            "max_tokens is too large: 9999999. This model supports at most 16384 completion tokens",
            "invalid_request_error",
        ),
        INVALID,
    ),
    ("openai", 422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, (422, "invalid_request_error")),
    ("openai", 409, openai("Conflict", "conflict_error"), (409, "conflict_error")),
    ("openai", 413, openai("Payload too large"), (413, "request_too_large")),
    ("openai", 408, b"", (408, "timeout")),
    ("openai", 500, openai("The server had an error", "server_error"), (500, "server_error")),
    ("openai", 502, b"<html><body>502 Bad Gateway</body></html>", (502, "server_error")),
    ("openai", 503, openai("The engine is currently overloaded", "server_error"), (503, "overloaded")),
    ("openai", 504, b"upstream request timeout", (504, "timeout")),
    ("openai", 302, b"", (302, "server_error")),
    (
        "llama.cpp",
        400,
        llama(400, "the request exceeds the available context size", "exceed_context_size_error"),
        TOO_LONG,
    ),
    (
        "llama.cpp",
        400,
        llama(400, "the request exceeds the available context size, try increasing it", "invalid_request_error"),
        TOO_LONG,
    ),
    ("llama.cpp", 400, llama(400, "Field 'max_tokens': expected a number", "invalid_request_error"), INVALID),
    ("llama.cpp", 401, llama(401, "Invalid API Key", "authentication_error"), NO_KEY),
    ("llama.cpp", 404, llama(404, "File Not Found", "not_found_error"), NO_MODEL),
    ("llama.cpp", 500, llama(500, "failed to decode", "server_error"), (500, "server_error")),
    (
        "llama.cpp",
        500,
        llama(
            500,
            "Failed to parse messages: [json.exception.type_error.302] type must be string, but is number",
            "server_error",
        ),
        INVALID,
    ),
    (
        "llama.cpp",
        500,
        llama(500, "Failed to parse tool call arguments as JSON: parse error at line 1", "server_error"),
        INVALID,
    ),
    (
        "llama.cpp",
        500,
        llama(500, "[json.exception.type_error.316] invalid UTF-8 byte at index 3", "server_error"),
        (500, "server_error"),
    ),
    ("llama.cpp", 500, llama(500, "Failed to parse tools: Missing tool type: 5; tools = [5]", "server_error"), INVALID),
    (
        "llama.cpp",
        500,
        llama(500, "While executing …\nJinja Exception: Conversation roles must alternate", "server_error"),
        INVALID,
    ),
    (
        "llama.cpp",
        500,
        llama(500, "Failed to parse input at pos 0: <tool_call>", "server_error"),
        (500, "server_error"),
    ),
    (
        "llama.cpp",
        501,
        llama(501, "This server does not support embeddings", "not_supported_error"),
        (501, "server_error"),
    ),
    ("llama.cpp", 503, llama(503, "Loading model", "unavailable_error"), (503, "overloaded")),
    (
        "anthropic",
        400,
        anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        TOO_LONG,
    ),
    (
        "anthropic",
        400,
        anthropic(
            "invalid_request_error", "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"
        ),
        TOO_LONG,
    ),
    (
        "anthropic",
        400,
        anthropic("invalid_request_error", "Output blocked by content filtering policy"),
        AGAINST_POLICY,
    ),
    (
        "anthropic",
        400,
        anthropic("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
        NO_QUOTA,
    ),
    ("anthropic", 400, anthropic("invalid_request_error", "messages: roles must alternate"), INVALID),
    ("anthropic", 401, anthropic("authentication_error", "invalid x-api-key"), NO_KEY),
    ("anthropic", 402, anthropic("billing_error", "Payment required"), NO_QUOTA),
    ("anthropic", 403, anthropic("permission_error", "Your API key does not have permission"), NO_PERMISSION),
    ("anthropic", 404, anthropic("not_found_error", "model: claude-9"), NO_MODEL),
    ("anthropic", 413, anthropic("request_too_large", "Request exceeds the maximum size"), (413, "request_too_large")),
    ("anthropic", 429, anthropic("rate_limit_error", "This request would exceed your rate limit"), TOO_MANY),
    (
        "anthropic",
        429,
        anthropic("rate_limit_error", "Spend limit", error_code="enforced_spend_limit_reached"),
        NO_QUOTA,
    ),
    ("anthropic", 500, anthropic("api_error", "Internal server error"), (500, "server_error")),
    ("anthropic", 504, anthropic("timeout_error", "Timed out"), (504, "timeout")),
    ("anthropic", 529, anthropic("overloaded_error", "Overloaded"), (529, "overloaded")),
    (
        "gemini",
        400,
        gemini(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", BAD_KEY),
        NO_KEY,
    ),
    (
        "gemini",
        400,
        gemini(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        ),
        TOO_LONG,
    ),
    ("gemini", 400, gemini(400, "FAILED_PRECONDITION", "User location is not supported"), INVALID),
    ("gemini", 402, gemini(402, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."), NO_QUOTA),
    ("gemini", 403, gemini(403, "PERMISSION_DENIED", "The caller does not have permission"), NO_PERMISSION),
    (
        "gemini",
        403,
        gemini(403, "PERMISSION_DENIED", "You do not have permission to access the File x or it may not exist."),
        INVALID,
    ),
    ("gemini", 404, gemini(404, "NOT_FOUND", "models/gemini-9 is not found"), NO_MODEL),
    (
        "gemini",
        429,
        gemini(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", PER_MINUTE, RETRY_INFO),
        TOO_MANY,
    ),
    (
        "gemini",
        429,
        gemini(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", PER_DAY, RETRY_INFO),
        NO_QUOTA,
    ),
    ("gemini", 429, [gemini(429, "RESOURCE_EXHAUSTED", "Quota")], TOO_MANY),
    ("gemini", 500, gemini(500, "INTERNAL", "An internal error has occurred"), (500, "server_error")),
    ("gemini", 503, gemini(503, "UNAVAILABLE", "The model is overloaded"), (503, "overloaded")),
    ("gemini", 504, gemini(504, "DEADLINE_EXCEEDED", "Deadline expired"), (504, "timeout")),
]


@pytest.mark.parametrize(("wire", "status", "body", "meaning"), CASES)
def test_http_errors(wire: str, status: int, body: Any, meaning: tuple[int, str]) -> None:
    refused = http_error(WIRES[wire], status, body)
    assert (refused.status, refused.code) == meaning
    assert refused.quota is (meaning == NO_QUOTA)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b'"x"', b"17", b"\xff\xfe", b"[" * 100_000, b'{"error": 5}']
)
def test_no_body_breaks_the_reading_of_an_error(wire: str, body: bytes) -> None:
    refused = http_error(WIRES[wire], 500, body)
    assert (refused.status, refused.code) == (500, "server_error")
    assert str(refused)


@pytest.mark.parametrize("wire", WIRES)
def test_retry_after_is_read_from_headers(wire: str) -> None:
    assert http_error(WIRES[wire], 429, {"error": {}}, {"retry-after": "2"}).retry_after_s == 2.0
    assert http_error(WIRES[wire], 503, {"error": {}}, {"retry-after-ms": "250"}).retry_after_s == 0.25


def test_geminis_wait_is_in_the_body() -> None:
    refused = http_error(
        WIRES["gemini"], 429, gemini(429, "RESOURCE_EXHAUSTED", "Quota", RETRY_INFO), {"retry-after": "2"}
    )
    assert refused.retry_after_s == 17.0


def test_waiting_does_not_mend_an_empty_account() -> None:
    refused = http_error(WIRES["openai"], 429, openai("No quota", None, "insufficient_quota"), {"retry-after": "2"})
    assert refused.quota
    assert refused.retry_after_s is None


def test_the_upstreams_message_and_field_are_kept_but_not_its_secrets() -> None:
    told = openai(
        "Bad key sk-proj-abcdefghijklmnop or xai-ABCDEFGHIJKL", "invalid_request_error", "odd_code", "tools[0]"
    )
    refused = http_error(WIRES["openai"], 400, told)
    assert refused.param == "tools[0]"
    assert refused.message == "Bad key sk-… or xai-…"


def test_a_long_message_is_cut() -> None:
    assert len(http_error(WIRES["openai"], 400, openai("x" * 100_000)).message) == 1000


def test_a_page_made_for_people_is_not_shown() -> None:
    assert http_error(WIRES["openai"], 502, b"<html>nginx</html>").message == "The upstream answered with status 502."
    assert http_error(WIRES["openai"], 502, b"no healthy upstream").message == "no healthy upstream"
