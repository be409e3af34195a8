"""What conditions of rules say about each other: which one follows from others, and which never hold together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..regions import within
from ..schema import Condition


def implied(condition: Condition, given: Sequence[Condition]) -> bool:
    """Whether every request that matches all of ``given`` matches ``condition`` too."""
    same = [other for other in given if other.type == condition.type]
    if condition.type == "compliance_requirement":
        return {*condition.required_compliance} <= {tag for other in same for tag in other.required_compliance}
    follows = _FOLLOWS[condition.type]
    return any(follows(condition, other) for other in same)


def contradiction(condition: Condition, given: Sequence[Condition]) -> str | None:
    """Why no request matches ``condition`` and all of ``given``, where that is so."""
    for other in given:
        if other.type == condition.type:
            clash = _CLASHES.get(condition.type, _never)(condition, other)
            if clash is not None:
                return clash
    return None


def _never(_one: Condition, _other: Condition) -> str | None:
    return None


def _residency(condition: Condition, other: Condition) -> bool:
    return within(other.required_region or "", condition.required_region or "")


def _latency(condition: Condition, other: Condition) -> bool:
    return (other.max_latency_ms or 0) <= (condition.max_latency_ms or 0)


def _cost(condition: Condition, other: Condition) -> bool:
    return (other.max_cost_per_1k_tokens or 0) <= (condition.max_cost_per_1k_tokens or 0)


def _model(condition: Condition, other: Condition) -> bool:
    return {*other.models} <= {*condition.models}


def _capability(condition: Condition, other: Condition) -> bool:
    return condition.capability == other.capability


def _complexity(condition: Condition, other: Condition) -> bool:
    return (other.min_complexity or 0) >= (condition.min_complexity or 0)


def _category(condition: Condition, other: Condition) -> bool:
    return condition.category == other.category


def _client_region(condition: Condition, other: Condition) -> bool:
    return all(any(within(inner, outer) for outer in condition.regions) for inner in other.regions)


def _header(condition: Condition, other: Condition) -> bool:
    same = (condition.header or "").lower() == (other.header or "").lower()
    return same and condition.value in (None, other.value)


_FOLLOWS: Mapping[str, Callable[[Condition, Condition], bool]] = {
    "data_residency": _residency,
    "latency_requirement": _latency,
    "cost_sensitivity": _cost,
    "model": _model,
    "capability": _capability,
    "complexity": _complexity,
    "category": _category,
    "client_region": _client_region,
    "header": _header,
}


def _regions_clash(condition: Condition, other: Condition) -> str | None:
    one, two = condition.required_region or "", other.required_region or ""
    return None if within(one, two) or within(two, one) else f"a request requires one region, not {two} and {one}"


def _models_clash(condition: Condition, other: Condition) -> str | None:
    return None if {*condition.models} & {*other.models} else "a request asks for one model, and the lists share none"


def _capabilities_clash(condition: Condition, other: Condition) -> str | None:
    both = {condition.capability, other.capability}
    return "no task is simple and complex at once" if both == {"simple-tasks", "complex-tasks"} else None


def _callers_clash(condition: Condition, other: Condition) -> str | None:
    pairs = ((one, two) for one in condition.regions for two in other.regions)
    if any(within(one, two) or within(two, one) for one, two in pairs):
        return None
    return "a caller is in one region, and the lists share none"


_CLASHES: Mapping[str, Callable[[Condition, Condition], str | None]] = {
    "data_residency": _regions_clash,
    "model": _models_clash,
    "capability": _capabilities_clash,
    "client_region": _callers_clash,
}
