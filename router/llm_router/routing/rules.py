"""Rules: prioritised conditions → actions over the targets that the requirements left.

The first rule whose conditions all match acts, and no other. It puts targets first, or says who alone may answer;
nothing that it says brings back a target that was rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from ..config import schema
from ..config.regions import within
from ..model import Facts, Target
from .complexity import COMPLEX
from .turns import Turn

Matcher = Callable[[Facts], bool]


class Lead(Struct, frozen=True):
    """Targets or owners, by name, that a rule puts first: in this order, or by turns."""

    names: tuple[str, ...]
    by_turns: bool = False


class Rule(Struct, frozen=True, kw_only=True):
    """``followers`` is ``None`` where the others may follow as the strategy orders them; otherwise the names of those
    that may, in their order, and nobody else may answer. ``buffered`` and ``hedged`` are ``None`` where the policy's
    own hold."""

    name: str
    matchers: tuple[Matcher, ...] = ()
    leads: tuple[Lead, ...] = ()
    followers: tuple[str, ...] | None = None
    buffered: bool | None = None
    hedged: bool | None = None

    def matches(self, facts: Facts) -> bool:
        return all(matcher(facts) for matcher in self.matchers)

    def names(self, target: Target) -> bool:
        """Whether the rule puts this target anywhere."""
        named = {target.name, target.owner}
        return any(not named.isdisjoint(lead.names) for lead in self.leads) or not named.isdisjoint(
            self.followers or ()
        )


def compile_rules(rules: Iterable[schema.Rule]) -> tuple[Rule, ...]:
    """In the order in which they are tried: by priority, higher first, equal ones as they stand."""
    ordered = sorted(rules, key=lambda rule: -rule.priority)
    return tuple(_compiled(rule) for rule in ordered)


def first_match(rules: Iterable[Rule], facts: Facts) -> Rule | None:
    for rule in rules:
        if rule.matches(facts):
            return rule
    return None


def leading(rule: Rule, targets: Sequence[Target], turn: Turn) -> list[str]:
    """The names of those targets that the rule puts first, best first: the leads, then the followers that it names."""
    order: dict[str, None] = {}
    for lead in rule.leads:
        present = {name: group for name, group in _called(lead.names, targets).items() if group}
        names = turn(f"rule:{rule.name}", _weights(present)) if lead.by_turns else list(present)
        order |= dict.fromkeys(target.name for name in names for target in present[name])
    for group in _called(rule.followers or (), targets).values():
        order |= dict.fromkeys(target.name for target in group)
    return list(order)


def _called(names: Sequence[str], targets: Sequence[Target]) -> dict[str, list[Target]]:
    """For each of the ``names`` the target of that name, or those of the owner."""
    groups: dict[str, list[Target]] = {name: [] for name in names}
    for target in [target for target in targets if target.name in groups or target.owner in groups]:
        for name in {target.name, target.owner} & groups.keys():
            groups[name].append(target)
    return groups


def _weights(groups: Mapping[str, list[Target]]) -> dict[str, int]:
    return {name: group[0].weight for name, group in groups.items()}


# ---------------------------------------------------------------- from the configuration


def _compiled(rule: schema.Rule) -> Rule:
    leads: list[Lead] = []
    followers: tuple[str, ...] | None = None
    for action in rule.actions:
        if action.type == "failover":
            followers = (*(followers or ()), *action.failover_targets)
        elif action.type == "load_balance":
            leads.append(Lead(action.targets, by_turns=True))
        elif action.target is not None:
            leads.append(Lead((action.target,)))
    matchers = tuple(_MATCHERS[condition.type](condition) for condition in rule.conditions)
    buffered = None if rule.mid_stream is None else rule.mid_stream == "buffer"
    return Rule(
        name=rule.name,
        matchers=matchers,
        leads=tuple(leads),
        followers=followers,
        buffered=buffered,
        hedged=rule.hedge,
    )


def _compliance(condition: schema.Condition) -> Matcher:
    required = frozenset(condition.required_compliance)
    return lambda facts: required <= facts.requirements.compliance


def _residency(condition: schema.Condition) -> Matcher:
    around = condition.required_region or ""

    def matches(facts: Facts) -> bool:
        region = facts.requirements.region
        return region is not None and within(region, around)

    return matches


def _latency(condition: schema.Condition) -> Matcher:
    most_ms = condition.max_latency_ms or 0

    def matches(facts: Facts) -> bool:
        demanded = facts.requirements.max_latency_ms
        return demanded is not None and demanded <= most_ms

    return matches


def _cost(condition: schema.Condition) -> Matcher:
    most_usd = condition.max_cost_per_1k_tokens or 0.0

    def matches(facts: Facts) -> bool:
        demanded = facts.requirements.max_usd_per_1k_tokens
        return demanded is not None and demanded <= most_usd

    return matches


def _model(condition: schema.Condition) -> Matcher:
    models = frozenset(condition.models)
    return lambda facts: facts.model in models


def _capability(condition: schema.Condition) -> Matcher:
    capability = condition.capability or ""
    if capability == "simple-tasks":
        return lambda facts: facts.complexity < COMPLEX
    if capability == "complex-tasks":
        return lambda facts: facts.complexity >= COMPLEX
    return lambda facts: capability in facts.needs


def _complexity(condition: schema.Condition) -> Matcher:
    least = 1.0 if condition.min_complexity is None else condition.min_complexity
    return lambda facts: facts.complexity >= least


def _category(condition: schema.Condition) -> Matcher:
    name = condition.category or ""
    return lambda facts: name in facts.categories


def _client_region(condition: schema.Condition) -> Matcher:
    regions = condition.regions

    def matches(facts: Facts) -> bool:
        region = facts.client_region
        return region is not None and any(within(region, around) for around in regions)

    return matches


def _header(condition: schema.Condition) -> Matcher:
    name, value = (condition.header or "").lower(), condition.value
    if value is None:
        return lambda facts: any(given == name for given, _ in facts.headers)
    return lambda facts: (name, value) in facts.headers


_MATCHERS: Mapping[str, Callable[[schema.Condition], Matcher]] = {
    "compliance_requirement": _compliance,
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
