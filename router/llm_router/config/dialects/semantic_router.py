"""vLLM semantic-router's ``inter_cluster_routing`` and ``routing_strategies`` → native data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..findings import meant, quote
from . import semantic_router_keys as keys
from .accounts import private, provider_type, usd_per_1k
from .base import Dialect, Notes, Place, Told
from .semantic_router_endpoints import HEALTH_PATH, preferring, single_cluster

_AUTH_TYPES = {"bearer": "bearer", "api_key": "apiKey", "oauth": "oauth", "none": "none"}
_RETRY_CODES: Mapping[str, tuple[int, ...]] = {"server_error": (500, 502, 503, 504), "rate_limit": (429,)}
_ALWAYS_RETRIED = ("timeout", "connection_error")
_HEALTH_TIMEOUT_S = 5.0
_SUSPICIOUS_USD_PER_TOKEN = 1e-4
_VERTEX = "there is no word for the project that vertex needs: set enabled: false, or use the native dialect"


class _Owner(NamedTuple):
    """Somebody who can answer. ``name`` is what is written, which may be a reference; ``models`` are in place."""

    name: Any
    models: tuple[str, ...]


def _convert(config: keys.SemanticRouter, at: Place, notes: Notes) -> dict[str, Any]:
    multi = config.inter_cluster_routing or keys.InterClusterRouting()
    owners = list(_owners(config, multi, at))
    native: dict[str, Any] = {"router": {}, "clusters": [], "externalProviders": []}
    single_cluster(config, at, native, notes)
    if multi.enabled:
        _multi_cloud(multi, at.within("inter_cluster_routing"), native, notes)
        native["rules"] = _rules(config, multi, owners, at, notes) or None
    native["externalProviders"] = native["externalProviders"] or None
    if config.default_model is not None:
        native["router"]["modelRoutes"] = {"default": _default_route(config.default_model, owners, at, notes)}
    return native


def _owners(config: keys.SemanticRouter, multi: keys.InterClusterRouting, at: Place) -> Iterator[_Owner]:
    where = at.within("vllm_endpoints")
    endpoints = enumerate(config.vllm_endpoints)
    yield from (_Owner(where.within(i, "name").data, (*e.models, *preferring(e, config))) for i, e in endpoints)
    if not multi.enabled:
        return
    where = at.within("inter_cluster_routing", "cluster_discovery", "static_clusters")
    clusters = enumerate(multi.cluster_discovery.static_clusters)
    yield from (_Owner(where.within(i, "name").data, c.models) for i, c in clusters if c.enabled)
    where = at.within("inter_cluster_routing", "providers")
    yield from (_Owner(where.within(i, "name").data, p.models) for i, p in enumerate(multi.providers) if p.enabled)


def _multi_cloud(multi: keys.InterClusterRouting, at: Place, native: dict[str, Any], notes: Notes) -> None:
    found, where = multi.cluster_discovery, at.within("cluster_discovery")
    static = [(i, c) for i, c in enumerate(found.static_clusters) if c.enabled]
    for i, cluster in static:
        place = where.within("static_clusters", i)
        _check_health(cluster, found, place, notes)
        native["clusters"].append(_cluster(cluster, place, notes))
    if any(c.performance != keys.Performance() for _, c in static) or any(
        p.performance != keys.Performance() for p in multi.providers
    ):
        notes.warn(at.path, "the figures under performance are measured here, and not taken from the file")
    providers = enumerate(multi.providers)
    native["externalProviders"] += [_provider(p, at.within("providers", i), notes) for i, p in providers]
    native["discovery"] = {"method": where("method"), "refreshInterval": where("refresh_interval")}
    native["router"]["healthCheckInterval"] = where("health_check_interval")
    native["router"]["failover"] = _failover(multi.fault_tolerance, at.within("fault_tolerance"), notes)


# ---------------------------------------------------------------- clusters and providers


def _cluster(cluster: keys.StaticCluster, at: Place, notes: Notes) -> Told:
    price = cluster.cost_per_token
    if price is not None and price >= _SUSPICIOUS_USD_PER_TOKEN:
        message = f"{price:g} USD per token is {price * 1000:g} USD per 1K tokens: write the price of one token"
        notes.warn((*at.path, "cost_per_token"), message)
    return at.says(
        {
            "name": at("name"),
            "endpoint": at("endpoint"),
            "region": at("location"),
            "type": at("type") or at.says(cluster.type),
            **_access(cluster.authentication, at, notes),
            "models": _models(cluster, at),
            "capabilities": at("capabilities", "features"),
            "capacity": {"decodeTokensPerSecond": at("capabilities", "max_tokens_per_second")},
            "compliance": at("compliance"),
            "costPer1kTokens": None if price is None else at.says(usd_per_1k(price), "cost_per_token"),
            "private": private(at, cluster.endpoint, "endpoint"),
        }
    )


def _provider(provider: keys.Provider, at: Place, notes: Notes) -> Told:
    kind = at.says(provider_type(provider.type, provider.endpoint), "type")
    enabled = at("enabled")
    if kind.value == "vertex" and provider.enabled:
        notes.refuse(kind.path, _VERTEX)
        enabled = at.says(False, "type")  # so that nothing more is said of it
    return at.says(
        {
            "name": at("name"),
            "type": kind,
            "enabled": enabled,
            "apiKey": _credential(at, notes),
            "baseUrl": at("endpoint"),
            "models": _models(provider, at),
            "region": at("location"),
            "compliance": at("compliance"),
            "latency": {"tokensPerSecond": at("capabilities", "max_tokens_per_second")},
            "rateLimit": None if provider.rate_limit in (None, keys.RateLimit()) else _limits(at.within("rate_limit")),
            "private": private(at, provider.endpoint, "endpoint"),
        }
    )


def _limits(at: Place) -> Told:
    return at.says({"requestsPerMinute": at("requests_per_minute"), "tokensPerMinute": at("tokens_per_minute")})


def _access(authentication: keys.Authentication | None, at: Place, notes: Notes) -> dict[str, Told | None]:
    """Without a word about authentication there is none, which is accepted on loopback only."""
    if authentication is None:
        return {"authType": at.says("none", "authentication")}
    kind = at.says(_AUTH_TYPES[authentication.type], "authentication", "type")
    return {"authType": kind, "apiKey": _credential(at, notes)}


def _credential(at: Place, notes: Notes) -> Told | None:
    token, key = at("authentication", "token"), at("authentication", "key")
    if token and key:
        notes.refuse(key.path, "means the same as token: keep one of them")
    return token or key


def _models(owner: keys.StaticCluster | keys.Provider, at: Place) -> list[Any] | None:
    context = at("capabilities", "max_context_length")
    if not owner.models:
        return None
    names = [at("models", i) for i in range(len(owner.models))]
    if context is None and isinstance(owner, keys.Provider):
        return names
    return [{"name": name, "contextLength": context} for name in names]


def _check_health(cluster: keys.StaticCluster, found: keys.Discovery, at: Place, notes: Notes) -> None:
    check = cluster.health_check
    if check is None:
        return
    path = (*at.path, "health_check")
    if check.path != HEALTH_PATH:
        notes.refuse((*path, "path"), f"clusters are asked at {HEALTH_PATH}: remove it")
    if check.timeout is not None and check.timeout != _HEALTH_TIMEOUT_S:
        notes.refuse((*path, "timeout"), f"a cluster has {_HEALTH_TIMEOUT_S:g} s to answer: remove it")
    if check.interval is not None and check.interval != found.health_check_interval:
        message = "clusters share one interval: remove it, and set cluster_discovery.health_check_interval"
        notes.refuse((*path, "interval"), message)


# ---------------------------------------------------------------- rules


def _rules(
    config: keys.SemanticRouter, multi: keys.InterClusterRouting, owners: list[_Owner], at: Place, notes: Notes
) -> list[Told]:
    """Strategies stand inside ``inter_cluster_routing`` or beside it: published examples do both."""
    if config.routing_strategies and multi.routing_strategies:
        notes.refuse(("routing_strategies",), "they stand in inter_cluster_routing too: keep them in one place")
    both = ((config.routing_strategies, at), (multi.routing_strategies, at.within("inter_cluster_routing")))
    return [
        _rule(strategy, owners, place.within("routing_strategies", i), notes)
        for strategies, place in both
        for i, strategy in enumerate(strategies)
        if strategy.enabled
    ]


def _rule(strategy: keys.RoutingStrategy, owners: list[_Owner], at: Place, notes: Notes) -> Told:
    actions = enumerate(strategy.actions)
    return at.says(
        {
            "name": at("name"),
            "priority": at("priority"),
            "conditions": [_condition(c, at.within("conditions", j)) for j, c in enumerate(strategy.conditions)],
            "actions": [_action(a, owners, at.within("actions", j), notes) for j, a in actions],
        }
    )


def _condition(condition: keys.Condition, at: Place) -> Told:
    one_model = [at("required_model")] if condition.required_model is not None else None
    kind = "model" if condition.type == "model_requirement" else condition.type
    return at.says(
        {
            "type": at.says(kind, "type"),
            "requiredCompliance": at("required_compliance"),
            "requiredRegion": at("required_region"),
            "maxLatencyMs": at("max_latency_ms"),
            "maxCostPer1kTokens": at("max_cost_per_1k_tokens"),
            "models": one_model or at("models"),
        }
    )


def _action(action: keys.Action, owners: list[_Owner], at: Place, notes: Notes) -> Told:
    targets: Any = at("targets")
    if action.type == "load_balance":
        if action.load_balance_strategy == "least_connections":
            message = "least_connections is not yet available: use round_robin or weighted"
            notes.refuse((*at.path, "load_balance_strategy"), message)
        if targets is None:
            # Semantic-router balances over whoever serves the model; who does not is filtered out before rules act.
            targets = [owner.name for owner in owners]
    return at.says(
        {
            "type": at("type"),
            "target": at("target"),
            "targets": targets,
            "failoverTargets": at("failover_targets"),
        }
    )


# ---------------------------------------------------------------- failures


def _failover(tolerance: keys.FaultTolerance, at: Place, notes: Notes) -> dict[str, Any]:
    breaker, retry = at.within("circuit_breaker"), at.within("retry_policy")
    return {
        "enabled": at.says(False, "fallback_strategy") if tolerance.fallback_strategy == "error" else None,
        "maxRetries": retry("max_retries"),
        "retryCodes": _retry_codes(tolerance.retry_policy, retry, notes),
        "circuitBreaker": {
            "failureThreshold": breaker("failure_threshold"),
            "successThreshold": breaker("max_requests"),
            "timeout": breaker("timeout"),
        },
        "fallback": _fallback(tolerance, at, notes),
    }


def _retry_codes(policy: keys.RetryPolicy, at: Place, notes: Notes) -> Told | None:
    errors = policy.retry_on_errors
    if errors is None:
        return None
    missing = [error for error in _ALWAYS_RETRIED if error not in errors]
    if missing:
        message = f"{' and '.join(missing)} always allows another attempt here: add it"
        notes.refuse((*at.path, "retry_on_errors"), message)
    codes = dict.fromkeys(code for error in errors for code in _RETRY_CODES.get(error, ()))
    return at.says(list(codes), "retry_on_errors")


def _fallback(tolerance: keys.FaultTolerance, at: Place, notes: Notes) -> Told | None:
    target = at("default_fallback_cluster")
    if tolerance.fallback_strategy == "error":
        return None
    if target is None and tolerance.fallback_strategy == "default_cluster":
        notes.refuse((*at.path, "fallback_strategy"), "missing beside it: default_fallback_cluster")
    return None if target is None else at.says({"target": target}, "default_fallback_cluster")


def _default_route(wanted: str, owners: list[_Owner], at: Place, notes: Notes) -> Told | None:
    """``default_model`` is a model's name; the native route is to the first that serves it."""
    for owner in owners:
        if wanted in owner.models:
            return at.says(owner.name if len(owner.models) == 1 else f"{owner.name}/{wanted}", "default_model")
    known = dict.fromkeys(model for owner in owners for model in owner.models)
    notes.refuse(("default_model",), f"nobody serves {quote(wanted)}{meant(wanted, known)}")
    return None


SEMANTIC_ROUTER = Dialect(
    name="semantic-router",
    whose="vLLM semantic-router's",
    keys=("inter_cluster_routing", "routing_strategies", "vllm_endpoints"),
    struct=keys.SemanticRouter,
    gaps=keys.GAPS,
    convert=_convert,
    beside=("server", "admin", "access", "state", "discovery"),
)
