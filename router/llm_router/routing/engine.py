"""The decision: requirements filter the targets, a rule or a strategy orders what is left, and nothing else has a say.

question → reject, target by target → rule → strategy → whoever is strained, then the last resort, to the end
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from ..config.schema import Config
from ..model import Choice, Decision, Demand, Facts, PoolView, Rejection, Snapshot, Target, View
from ..pricing.estimate import estimate
from . import panic
from .demand import demand_of
from .policy import SHORTCUTS, Policy
from .refusal import refusal, unknown_strategy, unknown_target
from .requirements import (
    ABLE,
    PASSING,
    RECOVERING,
    RULE,
    STATE,
    TROUBLE,
    UNAVAILABLE,
    Question,
    checks_for,
    is_called,
    is_well,
    reject,
)
from .room import free_slots
from .rules import Rule, compile_rules, first_match, leading
from .slow_start import passed_over
from .strategies import STRATEGIES, Candidate, Order, Situation, Strategy
from .strategies.base import ASLEEP
from .targets import baseline_target, declared_models, default_target, last_resort, route_targets
from .turns import Turn, first_turn

__all__ = ["Policy", "decide", "policy_of"]


def policy_of(config: Config, unsupported: Mapping[str, frozenset[str]], *, awaiting_clusters: bool = False) -> Policy:
    """The policy that a configuration states. ``unsupported`` holds for each wire the needs that it cannot express.

    Raises ``ConfigError`` for a route that names nobody.
    """
    router = config.router
    declared = declared_models(config)
    return Policy(
        strategy=router.routing_strategy,
        basis=router.cost.basis,
        cluster_usd_per_1k_threshold=router.cluster_cost_threshold,
        enable_external_fallback=router.enable_external_fallback,
        max_latency_ms=router.max_latency_ms,
        max_queue_depth=router.max_queue_depth,
        default_target=default_target(config),
        baseline=baseline_target(config),
        routes=route_targets(config),
        shortcuts={name: strategy for name, strategy in SHORTCUTS.items() if name not in declared},
        last_resort=last_resort(config),
        rules=compile_rules(config.rules),
        unsupported=unsupported,
        awaiting_clusters=awaiting_clusters,
        buffered=router.failover.mid_stream == "buffer",
        hedged=router.failover.hedging.enabled,
        slow_start_s=router.failover.slow_start,
    )


def decide(facts: Facts, snapshot: Snapshot, policy: Policy, turn: Turn = first_turn) -> Decision:
    """The allowed targets for this request, best first, and why the others are not. ``turn`` says whose turn it is,
    where a rule or the strategy asks.

    Raises ``NoTarget`` when nobody is left: 404 for a model that nobody answers for, 400 where no configured target
    ever could, 403 where the key does not cover it, 429 or 503 where waiting may help or a requirement is not met.
    """
    name, strategy = _strategy(facts, policy)
    pin = facts.requirements.target
    if pin is not None and not any(is_called(view.target, pin) for view in snapshot.views):
        raise unknown_target(facts, snapshot, policy)
    question = Question(facts, snapshot, policy)
    verdict = _judge(question, snapshot)
    rule = first_match(policy.rules, facts)
    if rule is not None and rule.followers is not None:
        _narrow(verdict, rule)
    situation = Situation(
        policy=policy,
        facts=facts,
        clusters_down=verdict.clusters_down,
        route=policy.routes.get(facts.model) or policy.default_target,
        turn=turn,
    )
    order = _put_back(_ordered(verdict.candidates, rule, strategy, situation), policy, snapshot.now, turn)
    demand = _demand(verdict, order, name, situation) if _is_elastic(snapshot) else None
    if len(verdict.asleep) == len(verdict.candidates):
        order = _panicking(verdict, rule, question, snapshot)
    if not order:
        raise refusal(facts, snapshot, policy, verdict.rejected, demand)
    return Decision(
        strategy=name,
        rule=None if rule is None else rule.name,
        facts=facts,
        choices=_choices(order, verdict),
        rejected=tuple(verdict.rejected),
        baseline=verdict.baseline,
        demand=demand,
        buffered=policy.buffered if rule is None or rule.buffered is None else rule.buffered,
        hedged=policy.hedged if rule is None or rule.hedged is None else rule.hedged,
    )


class _Verdict(Struct, kw_only=True):
    """``candidates`` are all that may answer, by target name, in the snapshot's order; those ``asleep`` among them
    cannot yet, and are rejected too. ``outside`` are the APIs that may answer now or as soon as they have recovered."""

    candidates: dict[str, Candidate]
    asleep: set[str]
    outside: list[Candidate]
    rejected: list[Rejection]
    baseline: Target | None
    clusters_down: bool


def _is_elastic(snapshot: Snapshot) -> bool:
    """Whether the router has a say in how many nodes there are."""
    return any(pool.wanted is not None for pool in snapshot.pools.values())


def _demand(verdict: _Verdict, order: Order, strategy: str, situation: Situation) -> Demand | None:
    return demand_of(
        verdict.candidates,
        order,
        situation.facts,
        situation.policy,
        strategy=strategy,
        asleep=verdict.asleep,
        outside=verdict.outside,
    )


def _strategy(facts: Facts, policy: Policy) -> tuple[str, Strategy]:
    name = facts.strategy or policy.shortcuts.get(facts.model) or policy.strategy
    if name not in STRATEGIES:
        raise unknown_strategy(name)
    return name, STRATEGIES[name]


def _judge(question: Question, snapshot: Snapshot) -> _Verdict:
    checks = checks_for(question)
    if_well = [entry for entry in checks if entry[0] not in TROUBLE]
    candidates: dict[str, Candidate] = {}
    asleep: set[str] = set()
    outside: list[Candidate] = []
    rejected: list[Rejection] = []
    comparable: list[Candidate] = []
    cluster_there = cluster_missing = False
    now = question.now
    for view in snapshot.views:
        target = view.target
        rejection = reject(view, question, if_well if is_well(view, now) else checks)
        code = None
        if rejection is not None:
            code = rejection.code
            rejected.append(rejection)
        if target.kind == "cluster":
            if code is None or (code == STATE and view.state in ASLEEP):
                cluster_there = True
                candidates[target.name] = _candidate(view, question, snapshot)
                if code is not None:
                    asleep.add(target.name)
            elif code in UNAVAILABLE:
                cluster_missing = True
        elif code is None or code in _STILL_COMPARABLE:
            candidate = _candidate(view, question, snapshot)
            comparable.append(candidate)
            if code is None:
                candidates[target.name] = candidate
            if code is None or code in RECOVERING:
                outside.append(candidate)
    return _Verdict(
        candidates=candidates,
        asleep=asleep,
        outside=outside,
        rejected=rejected,
        baseline=_cheapest(comparable) if question.policy.baseline is None else _named(question, snapshot),
        clusters_down=cluster_missing and not cluster_there,
    )


_STILL_COMPARABLE = PASSING | {"external_disabled"}
"""What the same request would have cost outside does not depend on the API's health, nor on whether we may go there."""


def _narrow(verdict: _Verdict, rule: Rule) -> None:
    """A rule that says who follows leaves nobody else."""
    for name, candidate in list(verdict.candidates.items()):
        if not _leaves(rule, candidate.view.target):
            del verdict.candidates[name]
            if name not in verdict.asleep:
                verdict.rejected.append(Rejection(name, RULE, f"{rule.name} lets others answer"))
            verdict.asleep.discard(name)
    verdict.outside = [candidate for candidate in verdict.outside if _leaves(rule, candidate.view.target)]


def _leaves(rule: Rule | None, target: Target) -> bool:
    return rule is None or rule.followers is None or rule.names(target)


def _panicking(verdict: _Verdict, rule: Rule | None, question: Question, snapshot: Snapshot) -> Order:
    """Who answers after all, because nobody else can and it is time to look; nobody where it is not."""
    tripped = {rejection.target for rejection in verdict.rejected if rejection.code == panic.TRIPPED}
    views = [view for view in snapshot.views if view.target.name in tripped and _leaves(rule, view.target)]
    probe = panic.probe(views, snapshot.now)
    if probe is None:
        return []
    candidate = verdict.candidates[probe.target.name] = _candidate(probe, question, snapshot)
    verdict.rejected = [rejection for rejection in verdict.rejected if rejection.target != probe.target.name]
    return [(candidate, panic.REASON)]


def _candidate(view: View, question: Question, snapshot: Snapshot) -> Candidate:
    target, usage = view.target, question.usages[id(view.expected)]
    usd_per_1k, usd = estimate(view, usage)
    if target.kind == "provider":
        return Candidate(view, usd_per_1k, usd, usage.input_tokens)
    pool = snapshot.pools.get(target.owner)
    if pool is None:
        pool = PoolView(prefill_tokens_per_second=target.prefill_tokens_per_second)
    if question.policy.basis == "marginal" and usd is not None and _adds_nothing(view, pool):
        usd = 0.0
    return Candidate(view, usd_per_1k, usd, usage.input_tokens, pool)


def _adds_nothing(view: View, pool: PoolView) -> bool:
    """A slot is free on a node that is paid for whether it answers or not."""
    by_the_hour = view.cost is not None and not view.cost.by_token
    return by_the_hour and view.state == "up" and bool(free_slots(pool, pool.usable_nodes))


def _named(question: Question, snapshot: Snapshot) -> Target | None:
    """The configured baseline, whatever model was asked for and whoever may ask whom, but only where it is able and
    allowed to see the request."""
    for view in snapshot.views:
        if view.target.name == question.policy.baseline:
            return view.target if reject(view, question, ABLE) is None else None
    return None


def _cheapest(comparable: Sequence[Candidate]) -> Target | None:
    """The provider that would have been cheapest for this request."""
    priced = [(c.estimated_usd, c.view.target.name, c.view.target) for c in comparable if c.estimated_usd is not None]
    return min(priced)[2] if priced else None


def _ordered(allowed: Mapping[str, Candidate], rule: Rule | None, strategy: Strategy, situation: Situation) -> Order:
    """Whom the rule puts first, then the others as the strategy orders them."""
    if not allowed:
        return []
    if rule is None:
        return strategy(tuple(allowed.values()), situation)
    led = leading(rule, [candidate.view.target for candidate in allowed.values()], situation.turn)
    first = dict.fromkeys(led, f"rule:{rule.name}")
    others = [candidate for name, candidate in allowed.items() if name not in first]
    order = [(allowed[name], reason) for name, reason in first.items()]
    return order + strategy(others, situation) if others else order


def _put_back(order: Order, policy: Policy, now: float, turn: Turn) -> Order:
    """The same order, with targets that are slow or busy just now, or have only just come back, behind the others, and
    the last resort behind all.

    A last resort that is first because a rule says so stays there.
    """
    if len(order) == 1:
        return order

    last_resort, max_queue_depth, max_latency_ms = policy.last_resort, policy.max_queue_depth, policy.max_latency_ms
    well, strained, last, last_and_strained = tiers = [], [], [], []  # type: tuple[Order, Order, Order, Order]
    for entry in order:
        view, reason = entry[0].view, entry[1]
        is_last = view.target.name in last_resort and not reason.startswith("rule:")
        p95_ms = view.p95_latency_ms
        is_strained = (
            view.queue_depth >= max_queue_depth
            or (p95_ms is not None and p95_ms > max_latency_ms)
            # An idle target is never passed over: not asking saves a call for most of them.
            or (view.pending > 0 and passed_over(view, now, policy.slow_start_s, turn))
        )
        if is_last or is_strained:
            tiers[2 * is_last + is_strained].append(entry)
        else:
            well.append(entry)
    return well + strained + last + last_and_strained


def _choices(order: Order, verdict: _Verdict) -> tuple[Choice, ...]:
    choices, candidates, asleep = [], verdict.candidates, verdict.asleep
    for candidate, reason in order:
        name = candidate.view.target.name
        if name in asleep:
            continue  # among the rejected
        # Taken out of what was allowed: whatever a strategy returns, a rejected target can't be among the choices and
        # none appears twice.
        taken = candidates.pop(name)
        choices.append(
            Choice(
                target=taken.view.target,
                reason=reason,
                usd_per_1k_tokens=taken.usd_per_1k_tokens,
                estimated_usd=taken.estimated_usd,
                window=taken.view.window,
            )
        )
    return tuple(choices)
