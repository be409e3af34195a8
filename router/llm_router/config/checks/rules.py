"""Each rule says what it needs, names who is there, and can match something that no earlier rule takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from ..findings import Finding, Path, meant, quote
from ..hints import keys_of
from ..regions import PLACES, near_names, within
from ..request_headers import CREDENTIAL_HEADERS, REQUEST_HEADERS
from ..schema import Action, Cluster, Condition, Provider, Rule
from ..tags import KNOWN_TAGS
from .draft import Draft
from .implication import contradiction, implied
from .names import by_target_name

MAX_RULES, MAX_PARTS = 1000, 32
"""How many rules are taken, and conditions and actions in each: every request walks through them."""

_CONDITION_KEYS = {
    "compliance_requirement": "requiredCompliance",
    "data_residency": "requiredRegion",
    "latency_requirement": "maxLatencyMs",
    "cost_sensitivity": "maxCostPer1kTokens",
    "model": "models",
    "capability": "capability",
    "complexity": "minComplexity",
    "category": "category",
    "client_region": "regions",
    "header": "header",
}
_ACTION_KEYS = {
    "route_to_cluster": "target",
    "route_to_provider": "target",
    "load_balance": "targets",
    "failover": "failoverTargets",
}


def rules_are_few(draft: Draft) -> Iterator[Finding]:
    rules = draft.config.rules
    if len(rules) > MAX_RULES:
        yield Finding(("rules",), f"{len(rules)} rules are too many: at most {MAX_RULES}; join those that act alike")
        return
    for i, rule in enumerate(rules):
        for key, parts in (("conditions", rule.conditions), ("actions", rule.actions)):
            if len(parts) > MAX_PARTS:
                yield Finding(("rules", i, key), f"{len(parts)} {key} are too many for one rule: at most {MAX_PARTS}")


def rule_names_are_unique(draft: Draft) -> Iterator[Finding]:
    seen: set[str] = set()
    for i, rule in enumerate(draft.config.rules):
        if rule.name in seen:
            yield Finding(("rules", i, "name"), f"a rule is called {rule.name} already: choose another name")
        seen.add(rule.name)


def rules_are_complete(draft: Draft) -> Iterator[Finding]:
    """Every condition and action has the keys of its type, and no others."""
    for i, rule in _judged(draft.config.rules):
        if not rule.actions and rule.mid_stream is None and rule.hedge is None:
            yield Finding(("rules", i, "actions"), "missing: say what the rule does, such as route_to_cluster")
        for j, condition in enumerate(rule.conditions):
            also = "value" if condition.type == "header" else ""
            key = _CONDITION_KEYS[condition.type]
            yield from _keys_of_type(("rules", i, "conditions", j), condition, key, also)
        for j, action in enumerate(rule.actions):
            yield from _keys_of_type(("rules", i, "actions", j), action, _ACTION_KEYS[action.type], "")


def actions_go_together(draft: Draft) -> Iterator[Finding]:
    """One ``load_balance`` and one ``failover`` at most, and nobody is named twice: he would follow himself."""
    for i, rule in _judged(draft.config.rules):
        types: set[str] = set()
        named: set[str] = set()
        for j, action in enumerate(rule.actions):
            path: Path = ("rules", i, "actions", j)
            if action.type in types and action.type in ("load_balance", "failover"):
                yield Finding((*path, "type"), f"the rule has a {action.type} already: join the two")
            types.add(action.type)
            for where, name in _named(path, action):
                if name in named:
                    yield Finding(where, f"the rule names {quote(name)} already, who would follow himself: keep one")
                named.add(name)


def rules_exist(draft: Draft) -> Iterator[Finding]:
    """Actions name clusters and providers that are there, and of the kind that they say. Clusters that are discovered
    are not known yet."""
    known = by_target_name(draft.owners)
    for i, rule in _judged(draft.config.rules):
        for j, action in enumerate(rule.actions):
            for where, name in _named(("rules", i, "actions", j), action):
                fault = _target_fault(name, action, known, final=draft.names_are_final)
                if fault is not None:
                    yield Finding(where, fault)


def conditions_can_match(draft: Draft) -> Iterator[Finding]:
    for i, rule in _judged(draft.config.rules):
        for j, condition in enumerate(rule.conditions):
            path: Path = ("rules", i, "conditions", j)
            for key, fault in _faults(condition, draft):
                yield Finding((*path, key), fault)
            clash = contradiction(condition, rule.conditions[:j])
            if clash is not None:
                yield Finding(path, f"the rule can never match: {clash}")


# ---------------------------------------------------------------- remarks: the rule is sound, and of no use here


def rules_can_act(draft: Draft) -> Iterator[Finding]:
    """Somebody could answer the requests that a rule matches. Not judged where clusters are discovered."""
    if not draft.names_are_final:
        return
    held = [frozenset(owner.compliance) for owner in draft.owners.values() if _is_enabled(owner)]
    for i, rule in _judged(draft.config.rules):
        tags = frozenset(tag for condition in rule.conditions for tag in condition.required_compliance)
        if tags and not any(tags <= tags_held for tags_held in held):
            wanted = ", ".join(sorted(tags))
            yield Finding(
                ("rules", i, "conditions"),
                f"rule {rule.name} never acts: no cluster or provider has {wanted}, which its requests require",
            )


def targets_can_be_chosen(draft: Draft) -> Iterator[Finding]:
    """Whoever a rule names meets what all of its requests require."""
    known = by_target_name(draft.owners)
    for i, rule in _judged(draft.config.rules):
        tags = {tag for condition in rule.conditions for tag in condition.required_compliance}
        regions = [c.required_region for c in rule.conditions if c.required_region is not None]
        for j, action in enumerate(rule.actions):
            for where, name in _named(("rules", i, "actions", j), action):
                owner = known.get(name)
                fault = None if owner is None else _unmet(owner, tags, regions)
                if fault is not None:
                    yield Finding(where, f"rule {rule.name} never reaches {name}: {fault}, its requests require that")


def _unmet(owner: Cluster | Provider, tags: set[str], regions: Sequence[str]) -> str | None:
    missing = tags - {*owner.compliance}
    if missing:
        return f"it lacks {', '.join(sorted(missing))}"
    outside = [region for region in regions if not within(owner.region, region)]
    return f"it is not in {outside[0]}" if outside else None


def rules_are_reached(draft: Draft) -> Iterator[Finding]:
    """No rule stands behind one that takes all of its requests."""
    ordered = sorted(_judged(draft.config.rules), key=lambda entry: -entry[1].priority)
    earlier: list[tuple[frozenset[str], Rule]] = []
    for i, rule in ordered:
        types = frozenset(condition.type for condition in rule.conditions)
        for needed, other in earlier:
            if needed <= types and all(implied(condition, rule.conditions) for condition in other.conditions):
                yield Finding(
                    ("rules", i),
                    f"rule {rule.name} is never reached: {other.name}, which goes first, matches all that it matches; "
                    "give it a higher priority, or remove it",
                )
                break
        else:
            earlier.append((types, rule))


# ---------------------------------------------------------------- parts


def _judged(rules: Sequence[Rule]) -> Iterator[tuple[int, Rule]]:
    """The rules, unless there are too many to look at each."""
    if len(rules) > MAX_RULES:
        return
    yield from ((i, r) for i, r in enumerate(rules) if max(len(r.conditions), len(r.actions)) <= MAX_PARTS)


def _keys_of_type(path: Path, part: Condition | Action, needed: str, also: str) -> Iterator[Finding]:
    for key in keys_of(type(part)):
        given = getattr(part, key.attribute) != key.default
        if key.spelling == needed and not given:
            yield Finding((*path, needed), f"missing: {part.type} needs it")
        elif given and key.spelling not in ("type", needed, also):
            yield Finding((*path, key.spelling), f"has no meaning for {part.type}: remove it")


def _named(path: Path, action: Action) -> Iterator[tuple[Path, str]]:
    if action.target is not None:
        yield (*path, "target"), action.target
    yield from (((*path, "targets", k), name) for k, name in enumerate(action.targets))
    yield from (((*path, "failoverTargets", k), name) for k, name in enumerate(action.failover_targets))


def _target_fault(name: str, action: Action, known: Mapping[str, Cluster | Provider], *, final: bool) -> str | None:
    owner = known.get(name)
    if owner is None:
        may_come = not final and action.type != "route_to_provider"
        return None if may_come else f"no cluster or provider is called {quote(name)}{meant(name, known)}"
    if not _is_enabled(owner):
        return f"the provider {owner.name} is disabled: enable it, or choose another"
    kind = "cluster" if isinstance(owner, Cluster) else "provider"
    if action.type.startswith("route_to_") and action.type != f"route_to_{kind}":
        return f"{owner.name} is a {kind}: use route_to_{kind}"
    return None


def _is_enabled(owner: Cluster | Provider) -> bool:
    return isinstance(owner, Cluster) or owner.enabled


def _faults(condition: Condition, draft: Draft) -> Iterator[tuple[str, str]]:
    """``(key, what is wrong)`` for what no request can ever say."""
    look = _FAULTS.get(condition.type)
    if look is not None:
        yield from look(condition, draft)


def _tag_faults(condition: Condition, draft: Draft) -> Iterator[tuple[str, str]]:
    held = {tag for owner in draft.owners.values() for tag in owner.compliance} | KNOWN_TAGS
    if not draft.names_are_final:
        return
    for tag in condition.required_compliance:
        if tag not in held:
            yield "requiredCompliance", f"no cluster or provider has the tag {quote(tag)}{meant(tag, sorted(held))}"


def _region_faults(condition: Condition, draft: Draft) -> Iterator[tuple[str, str]]:
    if condition.required_region is not None:
        yield from _unknown_regions("requiredRegion", (condition.required_region,), draft)


def _client_faults(condition: Condition, draft: Draft) -> Iterator[tuple[str, str]]:
    if draft.config.router.client_region_header is None:
        yield "type", "nobody says where callers are: name the proxy's header in router.clientRegionHeader"
    yield from _unknown_regions("regions", condition.regions, draft)


def _unknown_regions(key: str, regions: tuple[str, ...], draft: Draft) -> Iterator[tuple[str, str]]:
    configured = frozenset(owner.region for owner in draft.owners.values() if owner.region)
    for region in regions:
        if region not in PLACES and region not in configured and draft.names_are_final:
            yield key, f"unknown region {quote(region)}; {near_names(region, configured)}"


def _category_faults(condition: Condition, draft: Draft) -> Iterator[tuple[str, str]]:
    known = sorted(category.name for category in draft.config.router.categories)
    if condition.category is not None and condition.category not in known:
        yield "category", f"router.categories has no {quote(condition.category)}{meant(condition.category, known)}"


def _header_faults(condition: Condition, _draft: Draft) -> Iterator[tuple[str, str]]:
    name = (condition.header or "").lower()
    if name in CREDENTIAL_HEADERS:
        yield "header", "rules do not read credentials: give the caller an API key with a scope of its own"
    elif name.startswith("x-llm-") and name not in REQUEST_HEADERS:
        yield "header", f"no request may have it{meant(name, sorted(REQUEST_HEADERS))}"


_FAULTS: Mapping[str, Callable[[Condition, Draft], Iterator[tuple[str, str]]]] = {
    "compliance_requirement": _tag_faults,
    "data_residency": _region_faults,
    "category": _category_faults,
    "client_region": _client_faults,
    "header": _header_faults,
}
