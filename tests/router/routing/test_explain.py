"""A decision explains itself: the same facts for machines and for people."""

from __future__ import annotations

import json

from llm_router.routing.engine import Policy, decide
from llm_router.routing.explain import COLUMNS, as_json, as_table
from tests.router.routing.views import cluster, facts, provider, snapshot

ASKED = facts("gpt-4", compliance=frozenset({"hipaa", "gdpr"}), needs=frozenset({"tools"}))
BOTH = frozenset({"gdpr", "hipaa"})
DECISION = decide(
    ASKED,
    snapshot(
        cluster("aws/tiny", owner="aws", compliance=BOTH, capabilities=frozenset({"tools"})),
        provider("openai", None, compliance=BOTH),
        provider("gemini"),
    ),
    Policy(),
)


def test_json_has_exactly_the_published_shape() -> None:
    plain = as_json(DECISION)
    assert list(plain) == ["strategy", "rule", "facts", "targets", "rejected", "hedged", "demand"]
    assert (plain["strategy"], plain["rule"]) == ("hybrid", None)
    assert plain["targets"] == [
        {
            "target": "aws/tiny",
            "cluster": "aws",
            "model": "tiny",
            "reason": "hybrid_cluster",
            "usd_per_1k_tokens": 0.001,
            "estimated_usd": DECISION.choices[0].estimated_usd,
        },
        {
            "target": "openai",
            "provider": "openai",
            "model": "openai-large",
            "reason": "hybrid_external",
            "usd_per_1k_tokens": None,
            "estimated_usd": None,
        },
    ]
    assert plain["rejected"] == [{"target": "gemini", "reason": "compliance: lacks gdpr, hipaa"}]


def test_json_is_plain_and_the_same_every_time() -> None:
    plain = as_json(DECISION)
    assert json.loads(json.dumps(plain)) == plain
    assert plain["facts"]["requirements"]["compliance"] == ["gdpr", "hipaa"]
    assert plain["facts"]["needs"] == ["tools"]
    assert plain["facts"]["model"] == "gpt-4"


def test_table_has_a_row_for_every_target() -> None:
    assert as_table(DECISION) == [
        ("1", "aws/tiny", "cluster", "tiny", "hybrid_cluster", "0.001000", "0.000250"),
        ("2", "openai", "provider", "openai-large", "hybrid_external", "unknown", "unknown"),
        ("-", "gemini", "", "", "compliance: lacks gdpr, hipaa", "", ""),
    ]
    assert all(len(row) == len(COLUMNS) for row in as_table(DECISION))
