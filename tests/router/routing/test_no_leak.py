"""Whatever is combined, no decision holds a target that breaks a requirement.

Not a sample: every combination of the tables below. What is allowed is stated here a second time, target by target,
from the words of the documentation; nothing of the code under test is used for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations, product

import pytest

from llm_router.config import schema
from llm_router.config.schema import Action, Condition, Failover, Fallback
from llm_router.errors import AttemptFailed, NoTarget, UpstreamRefused, UpstreamSilent
from llm_router.execution.plan import Plan
from llm_router.model import Decision, Facts, Snapshot, View
from llm_router.routing.engine import decide
from llm_router.routing.panic import REASON
from llm_router.routing.policy import Policy
from llm_router.routing.rules import compile_rules
from llm_router.routing.strategies import STRATEGIES
from llm_router.routing.turns import Turns
from tests.router.routing.views import NOW, cluster, facts, provider

TAGS = ("gdpr", "hipaa")
TAG_SETS = [frozenset(chosen) for size in range(3) for chosen in combinations(TAGS, size)]

LIES_IN = {
    "eu-west-1": {"eu-west-1", "eu", "ie"},
    "eu-west-2": {"eu-west-2", "gb"},  # London
    "us-east-1": {"us-east-1", "us"},
    "eu": {"eu"},
    "": set(),
}
"""Of the regions that are asked for below, those in which a target with this one lies."""
REGIONS = (None, "eu", "us", "eu-west-1", "ie")

SICK: tuple[dict[str, object], ...] = (
    {},
    {"health": "unknown"},
    {"health": "unhealthy"},
    {"state": "draining"},
    {"retry_at": NOW + 5, "retry_reason": "cooling"},
    {"retry_at": NOW + 5, "retry_reason": "circuit_open"},
    {"probing": True},
)
WELL = 2
"""The first of these may be used."""


def fleet() -> Iterator[tuple[View, bool]]:
    """Every tag set × region × condition once as a cluster or once as a provider, and whether it is well."""
    for number, (held, region, sick) in enumerate(product(TAG_SETS, LIES_IN, range(len(SICK)))):
        make = provider if number % 3 == 0 else cluster
        fields = {"compliance": held, "region": region, "weight": number % 4, "priority": number % 3, **SICK[sick]}
        yield make(f"t{number}", 0.001 * (1 + number % 7), **fields), sick < WELL


FLEET = tuple(fleet())
VIEWS = {view.target.name: view for view, _ in FLEET}
TRIPPED = [view for view in VIEWS.values() if view.retry_reason == "circuit_open"]
SNAPSHOT = Snapshot(tuple(VIEWS.values()), NOW)
ALL = tuple(VIEWS)


def rules() -> Iterator[tuple[schema.Rule, ...]]:
    """None; and rules that name everybody, those who must not answer too, in every kind of action."""
    always: tuple[Condition, ...] = ()
    gdpr = (Condition(type="compliance_requirement", required_compliance=("gdpr",)),)
    in_eu = (Condition(type="data_residency", required_region="eu"),)
    yield ()
    for conditions, actions in (
        (always, [Action(type="route_to_cluster", target="t1"), Action(type="route_to_provider", target="t0")]),
        (always, [Action(type="load_balance", targets=ALL)]),
        (gdpr, [Action(type="failover", failover_targets=ALL[::2])]),
        (in_eu, [Action(type="load_balance", targets=ALL[:70]), Action(type="failover", failover_targets=ALL[70:99])]),
        (always, [Action(type="route_to_cluster", target="t2"), Action(type="failover", failover_targets=("t3",))]),
    ):
        yield (schema.Rule(name="everybody", conditions=conditions, actions=tuple(actions)),)


FALLBACKS = (
    None,
    Fallback(target="t0"),
    Fallback(target="t4", on_error=False),
    Fallback(target="t1", on_rate_limit=False),
)
POLICIES = [
    (
        rule,
        fallback,
        Policy(
            rules=compile_rules(rule),
            last_resort=frozenset() if fallback is None else frozenset({fallback.target}),
            enable_external_fallback=external,
            default_target="t0",
            routes={"gpt-4": "t3"},
        ),
    )
    for rule, fallback, external in product(rules(), FALLBACKS, (True, False))
]


def allowed(view: View, well: bool, tags: Iterable[str], region: str | None, policy: Policy) -> bool:
    target = view.target
    return (
        well
        and all(tag in target.compliance for tag in tags)
        and (region is None or region in LIES_IN[target.region])
        and (target.kind == "cluster" or policy.enable_external_fallback)
    )


def decided(asked: Facts, policy: Policy, turns: Turns) -> Decision | None:
    try:
        return decide(asked, SNAPSHOT, policy, turns.take)
    except NoTarget as refused:
        if refused.status not in (429, 503):
            raise
        return None


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_combination_of_tags_regions_health_strategy_rules_and_last_resort(strategy: str) -> None:
    turns, combined = Turns(), 0
    for tags, region in product(TAG_SETS, REGIONS):
        asked = facts("gpt-4", compliance=tags, region=region, strategy=strategy, client_region="de")
        for rule, fallback, policy in POLICIES:
            permitted = {v.target.name for v, well in FLEET if allowed(v, well, tags, region, policy)}
            decision = decided(asked, policy, turns)
            chosen = [] if decision is None else [choice.target.name for choice in decision.choices]
            combined += len(VIEWS)
            if decision is not None and decision.choices[0].reason == REASON:
                # Nobody is left but one whose breaker is open: he meets what is demanded like everybody else.
                tripped = {v.target.name for v in TRIPPED if allowed(v, True, tags, region, policy)}
                assert len(chosen) == 1
                assert attempted(decision, fallback) == set(chosen) <= tripped
                assert rule or not permitted
                continue
            assert set(chosen) <= permitted, (tags, region, rule, fallback)
            assert len(chosen) == len(set(chosen))
            if not rule:
                assert set(chosen) == permitted, "and nobody is left out without a rule"
            if decision is not None:
                assert {*chosen, *(r.target for r in decision.rejected)} == VIEWS.keys()
                assert attempted(decision, fallback) <= permitted
    assert combined > 60_000


FAILURES: tuple[AttemptFailed, ...] = (
    UpstreamSilent("first_token"),
    UpstreamRefused(429, "rate_limit_exceeded", ""),
    UpstreamRefused(503, "overloaded", ""),
)


def attempted(decision: Decision, fallback: Fallback | None) -> set[str]:
    """Everybody who is asked when all fail, in whichever way."""
    asked: set[str] = set()
    for failure in FAILURES:
        plan = Plan(decision.choices, Failover(max_retries=10, fallback=fallback))
        choice = plan.first()
        asked.add(choice.target.name)
        while (following := plan.after(choice, failure)) is not None:
            asked.add(following.target.name)
            choice = following
    return asked
