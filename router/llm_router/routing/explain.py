"""A decision for people and machines: the JSON of ``explain`` and ``POST /v1/route``, and the rows of its table."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

import msgspec

from ..model import Choice, Decision, Demand, Facts, Rejection, Requirements, Target

COLUMNS = ("#", "target", "kind", "model", "reason", "USD per 1K", "USD")


class Owner(TypedDict):
    """Of the two, the one that it is."""

    cluster: NotRequired[str]
    provider: NotRequired[str]


class ShownChoice(Owner):
    """A target that may answer. ``null`` costs are unknown."""

    target: str
    model: str
    reason: str
    usd_per_1k_tokens: float | None
    estimated_usd: float | None


class ShownRejection(TypedDict):
    """A target that must not or cannot answer, and why."""

    target: str
    reason: str


class ShownDecision(TypedDict):
    """``targets`` in the order in which they would be tried."""

    strategy: str
    rule: str | None
    facts: Facts
    targets: list[ShownChoice]
    rejected: list[ShownRejection]
    hedged: bool
    demand: Demand | None


def as_json(decision: Decision) -> dict[str, Any]:
    """A ``ShownDecision`` as plain data, deterministic: sets become sorted lists, unknown costs and infinite worth
    ``None``."""
    shown: ShownDecision = {
        "strategy": decision.strategy,
        "rule": decision.rule,
        "facts": msgspec.json.decode(msgspec.json.encode(decision.facts, order="deterministic")),
        "targets": [_choice(choice) for choice in decision.choices],
        "rejected": [shown_rejection(rejection) for rejection in decision.rejected],
        "hedged": decision.hedged,
        "demand": None if decision.demand is None else msgspec.json.decode(msgspec.json.encode(decision.demand)),
    }
    return {**shown}


def shown_rejection(rejection: Rejection) -> ShownRejection:
    return {"target": rejection.target, "reason": rejection.reason}


def as_lines(facts: Facts) -> list[tuple[str, str]]:
    """``(what, how much)`` of the request: what it is, then what it requires."""
    most = facts.expected_output_tokens if facts.max_tokens is None else facts.max_tokens
    shown: list[tuple[str, object]] = [
        ("model", facts.model + (" (streamed)" if facts.stream else "")),
        ("tokens", f"{facts.input_tokens} in, {most} out"),
        ("complexity", f"{facts.complexity:.2f}"),
        ("categories", ", ".join(sorted(facts.categories))),
        ("needs", ", ".join(sorted(facts.needs))),
        ("caller in", facts.client_region),
        ("headers", ", ".join(f"{name}: {value}" for name, value in facts.headers)),
        *_required(facts.requirements),
    ]
    return [(what, str(value)) for what, value in shown if value not in (None, "", False)]


def as_table(decision: Decision) -> list[tuple[str, ...]]:
    """One row under ``COLUMNS`` for every target: the choices in order, then the rejected ones, marked ``-``."""
    rows: list[tuple[str, ...]] = []
    for place, choice in enumerate(decision.choices, start=1):
        target = choice.target
        costs = (_usd(choice.usd_per_1k_tokens), _usd(choice.estimated_usd))
        rows.append((str(place), target.name, target.kind, target.model, choice.reason, *costs))
    rows += [("-", rejection.target, "", "", rejection.reason, "", "") for rejection in decision.rejected]
    return rows


def _required(asked: Requirements) -> list[tuple[str, object]]:
    latency_ms, usd = asked.max_latency_ms, asked.max_usd_per_1k_tokens
    return [
        ("compliance", ", ".join(sorted(asked.compliance))),
        ("region", asked.region),
        ("latency", None if latency_ms is None else f"at most {latency_ms} ms"),
        ("cost", None if usd is None else f"at most {usd:g} USD per 1K tokens"),
        ("exact model", "yes" if asked.exact_model else None),
        ("target", asked.target),
        ("key's models", ", ".join(sorted(asked.allowed_models or ()))),
        ("key's targets", ", ".join(sorted(asked.allowed_targets or ()))),
    ]


def _choice(choice: Choice) -> ShownChoice:
    target = choice.target
    return {
        "target": target.name,
        **_owner(target),
        "model": target.model,
        "reason": choice.reason,
        "usd_per_1k_tokens": choice.usd_per_1k_tokens,
        "estimated_usd": choice.estimated_usd,
    }


def _owner(target: Target) -> Owner:
    return {"cluster": target.owner} if target.kind == "cluster" else {"provider": target.owner}


def _usd(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:.6f}"
