"""With every breaker open one request a second looks whether somebody is back; requirements hold all the same."""

from __future__ import annotations

from typing import Any

import pytest

from llm_router.errors import NoTarget
from llm_router.model import Decision, View
from llm_router.routing.engine import Policy, decide
from llm_router.routing.panic import REASON
from llm_router.routing.rules import compile_rules
from tests.router.routing.test_rules import rule, then, to
from tests.router.routing.views import NOW, cluster, facts, provider, snapshot

OPEN: dict[str, Any] = {"retry_at": NOW + 30, "retry_reason": "circuit_open", "failed_at": NOW - 5}


def asked(*views: View, policy: Policy | None = None, **demands: Any) -> list[tuple[str, str]] | str:
    """Who is asked and why, or the code of the refusal."""
    try:
        decision: Decision = decide(facts(**demands), snapshot(*views), policy or Policy())
    except NoTarget as refused:
        return refused.code
    return [(choice.target.name, choice.reason) for choice in decision.choices]


def test_who_failed_longest_ago_is_asked_and_nobody_else() -> None:
    views = [cluster("a", **OPEN), provider("b", **OPEN | {"failed_at": NOW - 9}), provider("c", **OPEN)]
    assert asked(*views) == [("b", REASON)]


def test_not_while_somebody_else_may_answer() -> None:
    assert asked(cluster("a", **OPEN), provider("b")) == [("b", "fallback_external")]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"probed_at": NOW - 0.9}, id="asked within the second"),
        pytest.param({"failed_at": NOW - 0.9}, id="failed within the second"),
        pytest.param({"probing": True}, id="still being asked"),
        pytest.param({"health": "unhealthy"}, id="not well by its health check either"),
        pytest.param({"state": "zero"}, id="not there"),
    ],
)
def test_the_others_get_a_503_that_says_when_to_come_back(changes: dict[str, Any]) -> None:
    with pytest.raises(NoTarget) as refused:
        decide(facts(), snapshot(cluster("a", **OPEN | changes)), Policy())
    assert (refused.value.status, refused.value.code) == (503, "no_healthy_target")
    assert refused.value.retry_after_s == pytest.approx(30)


def test_one_a_second_in_all_not_one_a_second_each() -> None:
    assert asked(cluster("a", **OPEN), cluster("b", **OPEN | {"probed_at": NOW - 0.5})) == "no_healthy_target"


def test_requirements_are_never_relaxed() -> None:
    views = [cluster("a", **OPEN), provider("b", **OPEN, region="eu", compliance=frozenset({"gdpr"}))]
    assert asked(*views, compliance=frozenset({"gdpr"}), region="eu") == [("b", REASON)]
    assert asked(views[0], compliance=frozenset({"gdpr"})) == "no_compliant_target"


def test_a_rule_that_names_who_may_answer_holds_too() -> None:
    assert asked(cluster("a", **OPEN), policy=Policy()) == [("a", REASON)]
    only = compile_rules([rule("only-b", to("b"), then("c"))])
    assert asked(cluster("a", **OPEN), policy=Policy(rules=only)) == "no_healthy_target"
    assert asked(cluster("a", **OPEN), provider("b", **OPEN), policy=Policy(rules=only)) == [("b", REASON)]
