"""Small targets for the tests of routing: an allowed, healthy, priced view unless told otherwise."""

from __future__ import annotations

from typing import Any

from llm_router.model import ClusterCost, Facts, ListPrice, Rate, Requirements, Snapshot, Target, View

NOW = 1000.0
_TARGET_FIELDS = frozenset(Target.__struct_fields__)


def list_price(usd_per_1k: float) -> ListPrice:
    rate = Rate(usd_per_1k)
    return ListPrice(input=rate, output=rate, cache_read=rate, cache_write=rate, source="test")


def cluster(name: str, usd_per_1k: float | None = 0.001, **changes: Any) -> View:
    """``changes`` are fields of the target or of the view."""
    fields: dict[str, Any] = {"name": name, "kind": "cluster", "owner": name, "model": "tiny", "any_model": True}
    fields |= {"wire": "llama.cpp"}
    return _view(fields, {"cost": ClusterCost(capacity=usd_per_1k, decision=usd_per_1k)} | changes)


def provider(name: str, usd_per_1k: float | None = 0.005, **changes: Any) -> View:
    fields: dict[str, Any] = {"name": name, "kind": "provider", "owner": name, "model": f"{name}-large"}
    price = None if usd_per_1k is None else list_price(usd_per_1k)
    return _view(fields, {"any_model": True, "list_price": price} | changes)


def snapshot(*views: View) -> Snapshot:
    return Snapshot(views, NOW)


def facts(model: str = "auto", **changes: Any) -> Facts:
    """``changes`` are fields of the facts or of their requirements."""
    demanded = {name: changes.pop(name) for name in list(changes) if name in Requirements.__struct_fields__}
    fields: dict[str, Any] = {"model": model, "input_tokens": 100, "requirements": Requirements(**demanded)}
    return Facts(**fields | changes)


def _view(fields: dict[str, Any], changes: dict[str, Any]) -> View:
    of_target = fields | {name: value for name, value in changes.items() if name in _TARGET_FIELDS}
    of_view: dict[str, Any] = {"target": Target(**of_target), "health": "healthy"}
    return View(**of_view | {name: value for name, value in changes.items() if name not in _TARGET_FIELDS})
