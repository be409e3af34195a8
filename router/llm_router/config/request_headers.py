"""The headers in which a request states what it requires."""

from __future__ import annotations

REQUEST_HEADERS = frozenset(
    f"x-llm-{name}"
    for name in (
        "compliance",
        "region",
        "max-latency-ms",
        "max-cost-per-1k",
        "exact-model",
        "target",
        "strategy",
        "session",
    )
)
"""In lower case. Any other ``X-LLM-…`` is refused: a misspelt requirement must not be ignored."""

CREDENTIAL_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "set-cookie"}
)
