"""Decisions: nobody who breaks a requirement is ever chosen, and every reason is given."""

from __future__ import annotations

import sys
import timeit
from types import FrameType
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from llm_router.config.schema import Cluster, Config, Cost, Failover, Fallback, Provider, Router
from llm_router.errors import NoTarget
from llm_router.model import ClusterCost, Decision, Facts, PoolView, Snapshot, View
from llm_router.pricing.estimate import estimate, expected_usage
from llm_router.routing.complexity import COMPLEX
from llm_router.routing.engine import Policy, decide, policy_of
from llm_router.routing.panic import REASON
from llm_router.routing.strategies import STRATEGIES
from scripts.bench import decide as bench
from tests.router.routing.views import NOW, cluster, facts, provider, snapshot

POLICY = Policy()


def names(decision: Decision) -> list[str]:
    return [choice.target.name for choice in decision.choices]


def reasons(decision: Decision) -> dict[str, str]:
    return {choice.target.name: choice.reason for choice in decision.choices}


# ---------------------------------------------------------------- whom it chooses


def by_margin(pool: PoolView, asked: Facts | None = None, **changes: Any) -> Decision:
    """``cost`` between an API at a tenth of a dear cluster's price, and that cluster."""
    views = (cluster("dear", 0.02, **changes), provider("api", 0.002))
    policy = Policy(strategy="cost", basis="marginal")
    return decide(asked or facts(), Snapshot(views, NOW, {"dear": pool}), policy)


def test_by_the_marginal_basis_a_free_slot_of_a_node_that_runs_costs_nothing() -> None:
    decision = by_margin(PoolView(nodes=2, slots=8, in_flight=7))
    assert names(decision) == ["dear", "api"]
    assert decision.choices[0].estimated_usd == 0.0
    assert decision.choices[0].usd_per_1k_tokens == 0.02, "hard limits still go by what its tokens cost"


@pytest.mark.parametrize(
    "pool",
    [
        PoolView(nodes=2, slots=8, in_flight=8),
        PoolView(nodes=2, slots=8, in_flight=4, wanted=1),
        PoolView(nodes=1, slots=None),
    ],
    ids=["full", "the free node is not wanted", "nobody knows its slots"],
)
def test_by_the_marginal_basis_a_share_of_a_node_is_paid_where_no_slot_is_free(pool: PoolView) -> None:
    decision = by_margin(pool)
    assert names(decision) == ["api", "dear"]
    assert decision.choices[1].estimated_usd == pytest.approx(0.02 * (100 + 150) / 1000)


def test_by_the_marginal_basis_who_is_paid_by_the_token_is_never_free() -> None:
    decision = by_margin(PoolView(slots=8), cost=ClusterCost(capacity=0.02, decision=0.02, by_token=True))
    assert names(decision) == ["api", "dear"]


def test_by_the_marginal_basis_what_has_no_known_cost_is_not_free() -> None:
    decision = by_margin(PoolView(slots=8), cost=None)
    assert names(decision) == ["api", "dear"]
    assert decision.choices[1].estimated_usd is None


def test_by_the_marginal_basis_a_pool_at_zero_costs_its_start() -> None:
    decision = by_margin(
        PoolView(nodes=0, slots=0, wanted=0),
        state="zero",
        always_on=False,
        cost=ClusterCost(capacity=0.001, decision=0.001, start_usd=0.01),
    )
    assert names(decision) == ["api"]
    assert decision.demand is not None
    assert decision.demand.called is None


def test_no_basis_opens_a_hard_limit() -> None:
    decision = by_margin(PoolView(slots=8), facts(max_usd_per_1k_tokens=0.01))
    assert names(decision) == ["api"]


def test_a_simple_request_goes_to_the_cheap_cluster_with_its_costs() -> None:
    decision = decide(facts("gpt-3.5-turbo"), snapshot(provider("openai"), cluster("aws")), POLICY)
    first = decision.choices[0]
    assert (first.target.name, first.reason, first.usd_per_1k_tokens) == ("aws", "hybrid_cluster", 0.001)
    assert first.estimated_usd == pytest.approx(0.001 * (100 + 150) / 1000)
    assert names(decision) == ["aws", "openai"]
    assert (decision.strategy, decision.rule, decision.rejected) == ("hybrid", None, ())


def test_a_request_may_ask_for_another_strategy() -> None:
    views = snapshot(cluster("aws"), provider("openai"))
    assert names(decide(facts(strategy="external_first"), views, POLICY)) == ["openai", "aws"]


def test_rejected_targets_are_named_with_their_reasons() -> None:
    decision = decide(facts(region="eu"), snapshot(cluster("us", region="us"), cluster("eu", region="eu")), POLICY)
    assert names(decision) == ["eu"]
    assert [(r.target, r.reason) for r in decision.rejected] == [("us", "residency: eu required, this is us")]


def test_prompt_length_over_prefill_speed_decides_who_reads_in_time() -> None:
    slow, fast = (
        cluster(name, usd, prefill_tokens_per_second=speed)
        for name, usd, speed in (("slow", 0.001, 100), ("fast", 0.002, 1200))
    )
    views = snapshot(slow, fast, provider("openai"))
    assert names(decide(facts(input_tokens=475), views, POLICY)) == ["slow", "fast", "openai"]
    assert names(decide(facts(input_tokens=476), views, POLICY)) == ["fast", "openai", "slow"]


@pytest.mark.parametrize("strained", [{"p95_latency_ms": 5001.0}, {"queue_depth": 10}])
def test_a_slow_or_busy_target_is_passed_over_while_another_one_is_not(strained: dict[str, Any]) -> None:
    views = snapshot(cluster("a", **strained), cluster("b", 0.002), provider("openai"))
    assert names(decide(facts(), views, POLICY)) == ["b", "openai", "a"]
    alone = snapshot(cluster("a", **strained))
    assert names(decide(facts(), alone, POLICY)) == ["a"]


def test_at_the_limits_nobody_is_passed_over_yet() -> None:
    views = snapshot(cluster("a", p95_latency_ms=5000.0, queue_depth=9), cluster("b", 0.002))
    assert names(decide(facts(), views, POLICY)) == ["a", "b"]


def test_with_all_clusters_down_an_api_falls_in_and_says_so() -> None:
    views = snapshot(cluster("a", health="unhealthy"), cluster("b", state="down"), provider("openai"))
    assert reasons(decide(facts(), views, POLICY)) == {"openai": "fallback_external"}


def test_clusters_that_could_not_have_answered_anyway_are_not_missed() -> None:
    simple = cluster("a", health="unhealthy", capabilities=frozenset({"simple-tasks"}))
    decision = decide(facts(complexity=0.9), snapshot(simple, provider("openai")), POLICY)
    assert reasons(decision) == {"openai": "hybrid_external"}


def test_one_cluster_that_is_up_is_enough_not_to_fall_back() -> None:
    views = snapshot(cluster("a", health="unhealthy"), cluster("dear", 0.5), provider("openai"))
    assert reasons(decide(facts(), views, POLICY)) == {"openai": "hybrid_external", "dear": "fallback_cluster"}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_with_external_fallback_off_no_strategy_leaves(strategy: str) -> None:
    policy = Policy(enable_external_fallback=False)
    decision = decide(facts(strategy=strategy), snapshot(cluster("dear", 0.5), provider("openai")), policy)
    assert names(decision) == ["dear"]
    with pytest.raises(NoTarget):
        decide(facts(strategy=strategy), snapshot(cluster("a", state="down"), provider("openai")), policy)


def test_an_unknown_model_takes_the_default_route_and_only_that() -> None:
    policy = Policy(default_target="openai")
    views = snapshot(
        cluster("aws", any_model=False), provider("openai", any_model=False), provider("p", any_model=False)
    )
    decision = decide(facts("gpt-9"), views, policy)
    assert names(decision) == ["openai"]
    assert {r.code for r in decision.rejected} == {"model_not_found"}
    assert decision.facts.model == "gpt-9"


def test_the_default_route_is_for_names_that_nobody_accepts() -> None:
    policy = Policy(default_target="openai")
    views = snapshot(cluster("aws", any_model=False), provider("openai", any_model=False))
    assert names(decide(facts("tiny"), views, policy)) == ["aws"]
    with pytest.raises(NoTarget):
        decide(facts("gpt-9", exact_model=True), views, policy)


def test_the_default_route_obeys_requirements() -> None:
    views = snapshot(provider("openai", any_model=False, region="us"))
    with pytest.raises(NoTarget) as caught:
        decide(facts("gpt-9", region="eu"), views, Policy(default_target="openai"))
    assert caught.value.code == "no_compliant_target"


def test_a_route_lets_its_target_answer_for_the_name_whatever_the_strategy() -> None:
    policy = Policy(routes={"gpt-4": "openai"})
    views = snapshot(cluster("aws"), provider("openai", any_model=False), provider("other", any_model=False))
    assert names(decide(facts("gpt-4"), views, policy)) == ["aws", "openai"]
    assert names(decide(facts("gpt-4", strategy="model"), views, policy)) == ["openai", "aws"]
    with pytest.raises(NoTarget):
        decide(facts("gpt-4", exact_model=True), views, policy)


def test_model_goes_by_the_names_own_route_then_by_default() -> None:
    policy = Policy(strategy="model", routes={"gpt-4": "openai"}, default_target="other")
    views = snapshot(cluster("aws"), provider("openai"), provider("other", 9.0))
    assert reasons(decide(facts("gpt-4"), views, policy))["openai"] == "model_route"
    assert names(decide(facts("gpt-4"), views, policy))[0] == "openai"
    assert names(decide(facts("anything"), views, policy))[0] == "other"


def test_a_shortcut_is_a_strategy_by_its_name() -> None:
    quick, thrifty = provider("quick", 0.9, p95_latency_ms=10.0), provider("thrifty", 0.001, p95_latency_ms=900.0)
    views = snapshot(thrifty, quick)
    fast, cheap = (decide(facts(name), views, POLICY) for name in ("fast", "cheap"))
    assert (fast.strategy, names(fast)) == ("latency", ["quick", "thrifty"])
    assert (cheap.strategy, names(cheap)) == ("cost", ["thrifty", "quick"])
    asked = decide(facts("fast", strategy="cost"), views, POLICY)
    assert (asked.strategy, names(asked)) == ("cost", ["thrifty", "quick"])


def test_a_shortcut_that_the_configuration_declares_is_an_ordinary_name() -> None:
    policy = Policy(shortcuts={"cheap": "cost"})
    views = snapshot(cluster("aws", any_model=False, aliases=frozenset({"fast"})), provider("openai", any_model=False))
    decision = decide(facts("fast"), views, policy)
    assert (decision.strategy, names(decision)) == ("hybrid", ["aws"])


# ---------------------------------------------------------------- the baseline


def baseline(asked: Facts, *views: View, policy: Policy = POLICY) -> str | None:
    target = decide(asked, snapshot(*views), policy).baseline
    return None if target is None else target.name


def test_the_baseline_is_the_cheapest_provider_for_this_request() -> None:
    assert baseline(facts(), cluster("aws"), provider("a", 0.002), provider("b", 0.001)) == "b"


def test_the_baseline_does_not_depend_on_health_or_on_whether_we_may_leave() -> None:
    sick = provider("b", 0.001, health="unhealthy", retry_at=NOW + 9)
    assert baseline(facts(), cluster("aws"), provider("a", 0.002), sick) == "b"
    assert baseline(facts(), cluster("aws"), sick, policy=Policy(enable_external_fallback=False)) == "b"


def test_the_baseline_meets_the_requirements() -> None:
    us, eu = provider("us", 0.001, region="us"), provider("eu", 0.002, region="eu")
    assert baseline(facts(region="eu"), cluster("aws", region="eu"), us, eu) == "eu"
    assert baseline(facts(region="eu"), cluster("aws", region="eu"), us) is None


def test_a_named_baseline_holds_whatever_model_is_asked_for_and_whatever_it_costs() -> None:
    named = Policy(baseline="dear")
    dear, cheap = provider("dear", 0.9), provider("cheap", 0.001)
    assert baseline(facts(), cluster("aws"), dear, cheap, policy=named) == "dear"
    assert baseline(facts(model="tiny"), cluster("aws"), dear, cheap, policy=named) == "dear"
    assert baseline(facts(target="aws", max_usd_per_1k_tokens=0.5), cluster("aws"), dear, policy=named) == "dear"


def test_a_named_baseline_that_may_not_see_the_request_compares_nothing() -> None:
    us, eu = provider("us", 0.001, region="us"), cluster("aws", region="eu")
    named = Policy(baseline="us")
    assert baseline(facts(region="eu"), eu, us, provider("eu", region="eu"), policy=named) is None
    assert baseline(facts(region="us"), cluster("aws", region="us"), us, policy=named) == "us"


def test_an_unknown_price_is_no_baseline() -> None:
    assert baseline(facts(), cluster("aws"), provider("dark", None)) is None
    assert baseline(facts(), cluster("aws"), provider("dark", None), provider("a")) == "a"


# ---------------------------------------------------------------- the policy


def test_the_policy_is_what_the_configuration_says() -> None:
    config = Config(
        clusters=(Cluster(name="aws", endpoint="https://aws"),),
        external_providers=(Provider(name="openai", type="openai", default_model="gpt-5.4-mini"),),
        router=Router(
            routing_strategy="cost",
            cost=Cost(basis="marginal"),
            cluster_cost_threshold=0.02,
            enable_external_fallback=False,
            max_latency_ms=700,
            max_queue_depth=3,
            model_routes={"default": "openai", "gpt-4": "openai"},
            model_mapping={"fast": {"openai": "gpt-5.4-mini"}},
            failover=Failover(fallback=Fallback(target="aws")),
        ),
    )
    unsupported = {"anthropic": frozenset({"n"})}
    assert policy_of(config, unsupported) == Policy(
        strategy="cost",
        basis="marginal",
        cluster_usd_per_1k_threshold=0.02,
        enable_external_fallback=False,
        max_latency_ms=700,
        max_queue_depth=3,
        default_target="openai",
        routes={"gpt-4": "openai"},
        shortcuts={"cheap": "cost"},
        last_resort=frozenset({"aws"}),
        unsupported=unsupported,
    )


# ---------------------------------------------------------------- nobody who breaks a requirement, ever

TAGS = ("hipaa", "gdpr")
tags = st.frozensets(st.sampled_from(TAGS))
regions = st.sampled_from(["rack-1", "rack-2", ""])
"""On no map, so that each is met by itself alone; the law of the known ones has tests of its own."""
costs = st.none() | st.sampled_from([0.0005, 0.002, 0.05])
optional_ms = st.none() | st.sampled_from([100.0, 900.0, 6000.0])
common = {
    "model": st.sampled_from(["tiny", "large"]),
    "any_model": st.booleans(),
    "aliases": st.frozensets(st.just("fast")),
    "region": regions,
    "compliance": tags,
    "context_length": st.none() | st.sampled_from([200, 4096]),
    "wire": st.sampled_from(["openai", "anthropic"]),
    "priority": st.integers(0, 2),
    "state": st.sampled_from(["up", "up", "up", "zero", "draining", "down"]),
    "health": st.sampled_from(["healthy", "healthy", "unknown", "unhealthy"]),
    "retry_at": st.sampled_from([0.0, 0.0, NOW, NOW + 5]),
    "retry_reason": st.sampled_from(["cooling", "circuit_open"]),
    "probing": st.sampled_from([False, False, True]),
    "p95_latency_ms": optional_ms,
    "queue_depth": st.sampled_from([0, 20]),
}
clusters = st.fixed_dictionaries(
    common
    | {
        "capabilities": st.frozensets(st.sampled_from(["simple-tasks", "complex-tasks", "vision"])),
        "always_on": st.booleans(),
        "prefill_tokens_per_second": st.sampled_from([None, 10.0, 1000.0]),
    }
)
providers = st.fixed_dictionaries(common)


@st.composite
def fleets(draw: st.DrawFn) -> list[View]:
    inside = [cluster(f"c{i}", draw(costs), **draw(clusters)) for i in range(draw(st.integers(0, 4)))]
    outside = [provider(f"p{i}", draw(costs), **draw(providers)) for i in range(draw(st.integers(0, 3)))]
    return draw(st.permutations(inside + outside))


DEMANDS: dict[str, st.SearchStrategy[Any]] = {
    "max_tokens": st.sampled_from([16, 4096]),
    "complexity": st.sampled_from([COMPLEX, 0.9]),
    "needs": st.sampled_from([frozenset({"n"}), frozenset({"vision"}), frozenset({"tools"})]),
    "compliance": tags,
    "region": regions,
    "max_latency_ms": st.just(500),
    "max_usd_per_1k_tokens": st.just(0.002),
    "exact_model": st.just(True),
    "target": st.sampled_from(["c0", "p0"]),
    "allowed_models": st.frozensets(st.sampled_from(["tiny", "fast", "auto"])),
    "allowed_targets": st.frozensets(st.sampled_from(["c0", "c1", "p0"])),
}


@st.composite
def requests(draw: st.DrawFn) -> Facts:
    """With a few demands each: with all of them at once nearly nobody would ever be left."""
    demanded = draw(st.sets(st.sampled_from(sorted(DEMANDS)), max_size=3))
    return facts(
        draw(st.sampled_from(["auto", "tiny", "large", "fast", "nobody"])),
        input_tokens=draw(st.sampled_from([1, 150, 9000])),
        strategy=draw(st.none() | st.sampled_from(sorted(STRATEGIES))),
        **{name: draw(DEMANDS[name]) for name in sorted(demanded)},
    )


policies = st.builds(
    Policy,
    enable_external_fallback=st.booleans(),
    default_target=st.sampled_from([None, "c0", "p0"]),
    unsupported=st.just({"anthropic": frozenset({"n"})}),
)


BY_POSITION = frozenset({"failover", "round_robin", "weighted"})


def breaches(view: View, asked: Facts, policy: Policy) -> list[str]:
    """The requirements, stated a second time and otherwise than in the code under test."""
    target, demand = view.target, asked.requirements
    usd_per_1k = estimate(view, expected_usage(view, asked))[0]
    answers = asked.max_tokens if asked.max_tokens is not None else asked.expected_output_tokens
    rules = {
        "pin": demand.target in (None, target.name, target.owner),
        "targets": demand.allowed_targets is None or bool({target.name, target.owner} & demand.allowed_targets),
        "models": demand.allowed_models is None or asked.model in demand.allowed_models | {"auto", "fast", "cheap"},
        "exact": not demand.exact_model or asked.model in (target.model, "auto"),
        "compliance": all(tag in target.compliance for tag in demand.compliance),
        "residency": demand.region in (None, target.region),
        "wire": target.wire != "anthropic" or "n" not in asked.needs,
        "vision": target.kind != "cluster" or "vision" not in asked.needs or "vision" in target.capabilities,
        "simple": asked.complexity < COMPLEX
        or target.capabilities & {"simple-tasks", "complex-tasks"} != {"simple-tasks"},
        "window": target.context_length is None or asked.input_tokens + answers <= target.context_length,
        "cost": demand.max_usd_per_1k_tokens is None or (usd_per_1k or 9e9) <= demand.max_usd_per_1k_tokens,
        "latency": demand.max_latency_ms is None or (view.p95_latency_ms or 0) <= demand.max_latency_ms,
        "leave": target.kind == "cluster" or policy.enable_external_fallback,
        "up": view.state == "up" and view.health != "unhealthy",
        "pause": view.retry_at <= NOW and not view.probing,
    }
    return [name for name, kept in rules.items() if not kept]


@settings(max_examples=300)
@given(fleets(), requests(), policies)
def test_no_decision_holds_a_target_that_breaks_a_requirement(fleet: list[View], asked: Facts, policy: Policy) -> None:
    by_name = {view.target.name: view for view in fleet}
    try:
        decision = decide(asked, snapshot(*fleet), policy)
    except NoTarget as refused:
        event(refused.code)
        return
    panicking = decision.choices[0].reason == REASON
    event("panic" if panicking else "decided")
    if panicking:
        assert len(decision.choices) == 1
        answering = [by_name[r.target] for r in decision.rejected if r.code != "model_not_found"]
        assert all(breaches(view, asked, policy) for view in answering), "only where nobody else is left"
    for choice in decision.choices:
        assert breaches(by_name[choice.target.name], asked, policy) == (["pause"] if panicking else [])
        assert choice.usd_per_1k_tokens is None or choice.usd_per_1k_tokens > 0
        assert choice.estimated_usd is None or choice.estimated_usd > 0
    rejected = [rejection.target for rejection in decision.rejected]
    assert sorted(names(decision) + rejected) == sorted(by_name), "every target is either chosen or rejected, once"


@settings(max_examples=200)
@given(fleets(), requests(), policies, st.randoms(use_true_random=False))
def test_the_order_of_the_configuration_does_not_matter(
    fleet: list[View], asked: Facts, policy: Policy, random: Any
) -> None:
    shuffled = list(fleet)
    random.shuffle(shuffled)

    def outcome(views: list[View]) -> object:
        try:
            decision = decide(asked, snapshot(*views), policy)
        except NoTarget as refused:
            return refused.status, refused.code
        return decision.choices, decision.baseline, set(decision.rejected)

    if (asked.strategy or policy.strategy) not in BY_POSITION:
        assert outcome(fleet) == outcome(shuffled)


def test_a_decision_among_ten_targets_takes_microseconds() -> None:
    """About 20 µs on one core of 2024; the bound leaves room for a busy machine."""
    inside = [cluster(f"c{i}", 0.001 * (i + 1), prefill_tokens_per_second=100.0) for i in range(6)]
    views = snapshot(*inside, *(provider(f"p{i}") for i in range(4)))
    asked = facts("gpt-4")
    assert min(timeit.repeat(lambda: decide(asked, views, POLICY), number=50, repeat=20)) / 50 < 200e-6


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_decision_among_five_hundred_targets_asks_each_with_few_calls(strategy: str) -> None:
    """What its time is made of, and the same on every machine. With so many it takes less than a millisecond."""
    views, policy, targets, most = bench.fleet(500), bench.policy(), 500, 16 if strategy == "hybrid" else 13
    for asked in bench.requests(strategy):
        calls = 0

        def count(_frame: FrameType, event: str, _what: object) -> None:
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count)
        try:
            decision = decide(asked, views, policy)
        finally:
            sys.setprofile(None)
        assert len(decision.choices) + len(decision.rejected) == targets
        assert calls <= most * targets
