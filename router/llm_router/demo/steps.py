"""The scripted requests of the demo: what is sent, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CLUSTERS = frozenset({"aws", "aws-gpu", "gcp", "azure"})
PROVIDERS = frozenset({"openai", "anthropic", "gemini"})

ANALYSIS = (
    "Analyse step by step why a queue in front of a slow server grows without bound when its utilisation approaches "
    "one. Derive the mean waiting time of an M/M/1 queue, compare it with M/D/1, and prove which of them is larger. "
    "Then design an experiment that would tell the two apart from measurements, and evaluate its weaknesses."
)
DOCUMENT = "The operator watches the queue depth and records the node price once per minute. " * 160


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one request. ``reason`` to ``attempts`` are the router's own headers; amounts are USD, ``None`` for
    unknown."""

    title: str
    status: int
    target: str
    model: str
    reason: str
    attempts: int
    tokens: int
    cost_usd: float | None
    saved_usd: float | None
    text: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One request of the show. ``expect`` says what is wrong with its result, or ``None``."""

    title: str
    prompt: str
    expect: Callable[[Result], str | None]
    model: str = "auto"
    max_tokens: int = 24
    stream: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": self.prompt}],
            "max_tokens": self.max_tokens,
        }
        if self.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body


def answered_by(
    targets: frozenset[str], *, reasons: Sequence[str] = (), after_failures: bool = False
) -> Callable[[Result], str | None]:
    """Expects an answer with text from one of ``targets``."""

    def expect(result: Result) -> str | None:
        if result.status != 200:
            return f"expected an answer, got status {result.status}: {result.text}"
        if result.target not in targets:
            return f"expected one of {sorted(targets)}, got {result.target}"
        if reasons and result.reason not in reasons:
            return f"expected the reason {' or '.join(reasons)}, got {result.reason}"
        if after_failures and result.attempts < 2:
            return "expected a failed attempt before"
        return None if result.text else "the answer is empty"

    return expect


def refused(status: int, code: str) -> Callable[[Result], str | None]:
    """Expects the router itself to refuse, before a byte leaves."""

    def expect(result: Result) -> str | None:
        if result.status != status or code not in result.text:
            return f"expected {status} {code}, got {result.status}: {result.text}"
        return None

    return expect


SIMPLE = Step("simple question", "Hi", answered_by(CLUSTERS, reasons=["hybrid_cluster"]), max_tokens=10)

ALL_UP = (
    SIMPLE,
    Step("the same, streamed", "Hi", answered_by(CLUSTERS, reasons=["hybrid_cluster"]), max_tokens=10, stream=True),
    Step("complex analysis", ANALYSIS, answered_by(PROVIDERS | {"aws-gpu"}), max_tokens=60),
    Step("must be GDPR", "Hello", answered_by(frozenset({"gcp", "azure"})), headers={"X-LLM-Compliance": "gdpr"}),
    Step("HIPAA and GDPR", "Hello", answered_by(frozenset({"azure"})), headers={"X-LLM-Compliance": "hipaa,gdpr"}),
    Step(
        "must stay in europe-west4", "Hello", answered_by(frozenset({"gcp"})), headers={"X-LLM-Region": "europe-west4"}
    ),
    Step("nobody may: SOX", "Hello", refused(503, "no_compliant_target"), headers={"X-LLM-Compliance": "sox"}),
)

ELSEWHERE = (
    Step("long document", DOCUMENT, answered_by(PROVIDERS, reasons=["hybrid_external"]), max_tokens=40),
    Step("Claude by name", "What does the router do?", answered_by(frozenset({"anthropic"})), model="claude-haiku-5-5"),
    Step(
        "Gemini by name, streamed",
        "What does the router do?",
        answered_by(frozenset({"gemini"})),
        model="gemini-3.5-flash-lite",
        stream=True,
    ),
)
