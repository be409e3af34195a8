"""The decision: requirements filter the targets, a strategy orders what is left, and nothing else has a say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from ..config.schema import Config
from ..errors import ConfigError, Problem
from ..model import Choice, Decision, Facts, Rejection, Snapshot, Target, View
from ..pricing.estimate import estimate
from .policy import Policy
from .refusal import refusal, unknown_strategy, unknown_target
from .requirements import PASSING, UNAVAILABLE, Question, accepts, is_called, reject
from .strategies import STRATEGIES, Candidate, Order, Strategy
from .targets import default_target

__all__ = ["Policy", "decide", "policy_of"]


def policy_of(config: Config, unsupported: Mapping[str, frozenset[str]]) -> Policy:
    """The policy that a configuration states. ``unsupported`` holds for each wire the needs that it cannot express.

    Raises ``ConfigError`` for a strategy that is not available and a default route that names nobody.
    """
    router = config.router
    if router.routing_strategy not in STRATEGIES:
        message = f"{router.routing_strategy!r} is not yet available; available are {', '.join(STRATEGIES)}"
        raise ConfigError([Problem("router.routingStrategy", message)])
    return Policy(
        strategy=router.routing_strategy,
        cluster_usd_per_1k_threshold=router.cluster_cost_threshold,
        enable_external_fallback=router.enable_external_fallback,
        max_latency_ms=router.max_latency_ms,
        max_queue_depth=router.max_queue_depth,
        default_target=default_target(config),
        unsupported=unsupported,
    )


def decide(facts: Facts, snapshot: Snapshot, policy: Policy) -> Decision:
    """The allowed targets for this request, best first, and why the others are not.

    Raises ``NoTarget`` when nobody is left: 404 for a model that nobody answers for, 400 where no configured target
    ever could, 403 where the key does not cover it, 429 or 503 where waiting may help or a requirement is not met.
    """
    name, strategy = _strategy(facts, policy)
    pin = facts.requirements.target
    if pin is not None and not any(is_called(view.target, pin) for view in snapshot.views):
        raise unknown_target(facts, snapshot)
    verdict = _judge(facts, snapshot, policy)
    if not verdict.allowed:
        raise refusal(facts, snapshot, verdict.rejected)
    order = strategy(tuple(verdict.allowed.values()), policy, clusters_down=verdict.clusters_down)
    return Decision(
        strategy=name,
        rule=None,
        facts=facts,
        choices=_choices(_passed_over(order, policy), verdict.allowed),
        rejected=tuple(verdict.rejected),
        baseline=verdict.baseline,
    )


class _Verdict(Struct):
    """``allowed`` is by target name, in the snapshot's order."""

    allowed: dict[str, Candidate]
    rejected: list[Rejection]
    baseline: Target | None
    clusters_down: bool


def _strategy(facts: Facts, policy: Policy) -> tuple[str, Strategy]:
    name = facts.strategy or policy.strategy
    if name not in STRATEGIES:
        raise unknown_strategy(name)
    return name, STRATEGIES[name]


def _judge(facts: Facts, snapshot: Snapshot, policy: Policy) -> _Verdict:
    question = Question(facts, policy, snapshot.now, _routed(facts, snapshot, policy))
    allowed: dict[str, Candidate] = {}
    rejected: list[Rejection] = []
    comparable: list[Candidate] = []
    cluster_up = cluster_missing = False
    for view in snapshot.views:
        is_cluster = view.target.kind == "cluster"
        rejection = reject(view, question)
        if rejection is None:
            candidate = allowed[view.target.name] = _candidate(view, facts)
            cluster_up = cluster_up or is_cluster
            if not is_cluster:
                comparable.append(candidate)
            continue
        rejected.append(rejection)
        if is_cluster:
            cluster_missing = cluster_missing or rejection.code in UNAVAILABLE
        elif rejection.code in _STILL_COMPARABLE:
            comparable.append(_candidate(view, facts))
    return _Verdict(allowed, rejected, _baseline(comparable), cluster_missing and not cluster_up)


_STILL_COMPARABLE = PASSING | {"external_disabled"}
"""What the same request would have cost outside does not depend on the API's health, nor on whether we may go there."""


def _routed(facts: Facts, snapshot: Snapshot, policy: Policy) -> str | None:
    """Whom the default route gives a model name that nobody accepts."""
    if policy.default_target is None or facts.requirements.exact_model:
        return None
    return None if any(accepts(view.target, facts) for view in snapshot.views) else policy.default_target


def _candidate(view: View, facts: Facts) -> Candidate:
    usd_per_1k, usd = estimate(view, facts)
    speed = view.target.prefill_tokens_per_second
    return Candidate(
        view=view,
        usd_per_1k_tokens=usd_per_1k,
        estimated_usd=usd,
        first_token_ms=facts.input_tokens * 1000 / speed if speed else None,
    )


def _baseline(comparable: Sequence[Candidate]) -> Target | None:
    """The provider that would have been cheapest for this request."""
    priced = [(c.estimated_usd, c.view.target.name, c.view.target) for c in comparable if c.estimated_usd is not None]
    return min(priced)[2] if priced else None


def _passed_over(order: Order, policy: Policy) -> Order:
    """The same order, with targets that are slow or busy just now behind the others."""
    return sorted(order, key=lambda entry: _is_strained(entry[0].view, policy))


def _is_strained(view: View, policy: Policy) -> bool:
    if view.queue_depth >= policy.max_queue_depth:
        return True
    return view.p95_latency_ms is not None and view.p95_latency_ms > policy.max_latency_ms


def _choices(order: Order, allowed: dict[str, Candidate]) -> tuple[Choice, ...]:
    # Choices are taken out of what was allowed: whatever a strategy returns, a rejected target can't be among them
    # and none appears twice.
    taken = ((allowed.pop(candidate.view.target.name), reason) for candidate, reason in order)
    return tuple(
        Choice(
            target=candidate.view.target,
            reason=reason,
            usd_per_1k_tokens=candidate.usd_per_1k_tokens,
            estimated_usd=candidate.estimated_usd,
        )
        for candidate, reason in taken
    )
