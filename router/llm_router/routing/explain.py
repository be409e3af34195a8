"""A decision for people and machines: the JSON of ``explain`` and ``POST /v1/route``, and rows for a table."""

from __future__ import annotations

from typing import Any

import msgspec

from ..model import Choice, Decision, Rejection

COLUMNS = ("#", "target", "kind", "model", "reason", "USD per 1K", "USD")


def as_json(decision: Decision) -> dict[str, Any]:
    """Plain data, deterministic: sets become sorted lists, unknown costs ``None``."""
    return {
        "strategy": decision.strategy,
        "rule": decision.rule,
        "facts": msgspec.to_builtins(decision.facts, order="deterministic"),
        "targets": [_choice(choice) for choice in decision.choices],
        "rejected": [_rejection(rejection) for rejection in decision.rejected],
    }


def as_table(decision: Decision) -> list[tuple[str, ...]]:
    """One row under ``COLUMNS`` for every target: the choices in order, then the rejected ones, marked ``-``."""
    rows: list[tuple[str, ...]] = []
    for place, choice in enumerate(decision.choices, start=1):
        target = choice.target
        costs = (_usd(choice.usd_per_1k_tokens), _usd(choice.estimated_usd))
        rows.append((str(place), target.name, target.kind, target.model, choice.reason, *costs))
    rows += [("-", rejection.target, "", "", rejection.reason, "", "") for rejection in decision.rejected]
    return rows


def _choice(choice: Choice) -> dict[str, Any]:
    target = choice.target
    return {
        "target": target.name,
        target.kind: target.owner,
        "model": target.model,
        "reason": choice.reason,
        "usd_per_1k_tokens": choice.usd_per_1k_tokens,
        "estimated_usd": choice.estimated_usd,
    }


def _rejection(rejection: Rejection) -> dict[str, str]:
    return {"target": rejection.target, "reason": rejection.reason}


def _usd(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:.6f}"
