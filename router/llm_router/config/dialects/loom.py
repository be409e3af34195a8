"""Loom's ``ai_gateway`` → native data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ..findings import meant, quote
from . import loom_keys as keys
from .accounts import private, provider_type
from .base import Dialect, Notes, Place, Told

_STRATEGIES = {"cost_optimized": "cost", "least_latency": "latency"}
_SERVED_PATHS = ("/v1/*", "/v1/", "/v1", "/*", "/")

DEFAULT_MODELS: Mapping[str, str] = MappingProxyType(
    {
        "openai": "gpt-5.4-mini",
        "anthropic": "claude-haiku-5-5",
        "claude": "claude-haiku-5-5",
        "gemini": "gemini-3.5-flash-lite",
    }
)
"""Loom passes every name on to a provider that lists no models; a target here has one model of its own."""


class _Entry(NamedTuple):
    """What ``routing.providers`` says about a provider."""

    routed: keys.Routed
    at: Place


def _convert(config: keys.Loom, at: Place, notes: Notes) -> dict[str, Any]:
    gateway, where = config.ai_gateway, at.within("ai_gateway")
    _check_routes(config, at, notes)
    if not gateway.enabled:
        notes.refuse(("ai_gateway", "enabled"), "a disabled gateway has nobody to answer: enable it")
    routing, routing_at = gateway.routing, where.within("routing")
    entries = _entries(routing, gateway, routing_at, notes)
    return {
        "router": {
            "routingStrategy": _strategy(gateway, routing_at),
            "latency": {
                "window": routing_at("latency", "window"),
                "percentile": routing_at("latency", "percentile"),
            },
            "failover": _failover(routing, routing_at),
            "modelRoutes": routing_at("model_routes"),
            "modelMapping": where("model_mapping"),
        },
        "externalProviders": _with_limits(
            [
                _provider(p, where.within("providers", i), gateway, entries, notes)
                for i, p in _in_order(gateway, entries)
            ],
            where,
            notes,
        ),
    }


def _check_routes(config: keys.Loom, at: Place, notes: Notes) -> None:
    for i, route in enumerate(config.routes):
        place = at.within("routes", i)
        if not route.ai_gateway:
            notes.refuse(place.path, "this router serves LLM requests only: leave this route with Loom")
        elif route.path not in _SERVED_PATHS:
            notes.refuse((*place.path, "path"), "the OpenAI API is served under /v1: give it the path /v1/*")


# ---------------------------------------------------------------- routing


def _strategy(gateway: keys.Gateway, at: Place) -> Told | None:
    """Where none is stated, priorities mean ``priority``; without those the router's own default stands."""
    written = gateway.routing.strategy
    if written is not None:
        return at.says(_STRATEGIES[written], "strategy") if written in _STRATEGIES else at("strategy")
    stated = [*gateway.providers, *gateway.routing.providers]
    return at.says("priority") if any(entry.priority is not None for entry in stated) else None


def _failover(routing: keys.Routing, at: Place) -> dict[str, Any]:
    where = at.within("failover")
    breaker = where.within("circuit_breaker")
    fallback = routing.fallback
    told: dict[str, Any] = {
        "enabled": where("enabled"),
        "maxRetries": where("max_retries"),
        "retryCodes": where("retry_codes"),
        "circuitBreaker": {
            "failureThreshold": breaker("failure_threshold"),
            "successThreshold": breaker("success_threshold"),
            "timeout": breaker("timeout"),
        },
    }
    if isinstance(fallback, bool):
        told["enabled"] = told["enabled"] or at("fallback")
    elif fallback is not None:
        place = at.within("fallback")
        told["fallback"] = place.says(
            {
                "target": place("provider"),
                "onError": place("on_error"),
                "onRateLimit": place("on_rate_limit"),
            }
        )
    return told


def _entries(routing: keys.Routing, gateway: keys.Gateway, at: Place, notes: Notes) -> dict[str, _Entry]:
    """``routing.providers`` by name, each naming a provider, and once."""
    if not routing.failover.circuit_breaker.enabled:
        notes.refuse((*at.path, "failover", "circuit_breaker", "enabled"), "the breaker is always on: remove it")
    entries: dict[str, _Entry] = {}
    names = [provider.name for provider in gateway.providers]
    for i, routed in enumerate(routing.providers):
        place = at.within("providers", i)
        if routed.name not in names:
            message = f"no provider is called {quote(place.within('name').data)}{meant(routed.name, names)}"
            notes.refuse((*place.path, "name"), message)
        elif routed.name in entries:
            notes.refuse((*place.path, "name"), f"{quote(routed.name)} is in the list already: keep one")
        entries.setdefault(routed.name, _Entry(routed, place))
    return entries


# ---------------------------------------------------------------- providers


def _provider(
    provider: keys.Provider, at: Place, gateway: keys.Gateway, entries: dict[str, _Entry], notes: Notes
) -> Told:
    if provider.base_url is not None and provider.endpoint is not None:
        notes.refuse((*at.path, "endpoint"), "means the same as base_url: keep one of them")
    url, url_key = (provider.base_url, "base_url") if provider.base_url is not None else (provider.endpoint, "endpoint")
    kind = provider_type(provider.type, url)
    return at.says(
        {
            "name": at("name"),
            "type": at.says(kind, "type"),
            "apiKey": at("api_key"),
            "baseUrl": at(url_key),
            **_models(provider, at, kind, gateway, notes),
            **_standing(provider, at, gateway, entries, notes),
            "headers": at("headers"),
            "organization": at("organization"),
            "apiVersion": at("api_version"),
            "deployments": at("deployments"),
            "projectId": at("project_id"),
            "location": at("location"),
            "credentialsFile": at("credentials_file"),
            "private": private(at, url, url_key),
        }
    )


def _standing(
    provider: keys.Provider, at: Place, gateway: keys.Gateway, entries: dict[str, _Entry], notes: Notes
) -> dict[str, Any]:
    """Priority, weight, price, limits and health check: from the routing's entry where it says so, else from the
    provider itself."""
    entry = entries.get(provider.name)
    places = [at] if entry is None else [entry.at, at]
    told: dict[str, Any] = {
        "enabled": at("enabled"),
        "priority": _first(places, "priority"),
        "weight": _first(places, "weight"),
        "price": next((price for place in places if (price := _price(place, notes)) is not None), None),
        "rateLimit": _limits(places),
        "healthCheck": _first(places, "health_check"),
    }
    if entry is None and entries and provider.enabled:
        told |= _not_routed(provider, at, gateway, notes)
    return told


def _not_routed(provider: keys.Provider, at: Place, gateway: keys.Gateway, notes: Notes) -> dict[str, Any]:
    """A provider that ``routing.providers`` leaves out answers nothing, unless a route or the fallback names it."""
    routing = gateway.routing
    routed = provider.name in routing.model_routes.values()
    if not routed and not (isinstance(routing.fallback, keys.Fallback) and routing.fallback.provider == provider.name):
        return {"enabled": at.says(False)}
    strategy = routing.strategy or "priority"
    if strategy == "priority":
        last = max((entry.priority or 0 for entry in (*routing.providers, *gateway.providers)), default=0)
        return {"priority": at.says(last + 1)}
    if strategy == "weighted":
        return {"weight": at.says(0)}
    if strategy != "model" and routed:  # the last resort comes after all others, whatever the strategy
        notes.refuse(at.path, "routing.providers leaves it out, and a route names it: list it there")
    return {}


def _in_order(gateway: keys.Gateway, entries: dict[str, _Entry]) -> list[tuple[int, keys.Provider]]:
    """With ``failover`` the order of the list counts: by priority, then as ``routing.providers`` has them."""
    providers = list(enumerate(gateway.providers))
    if gateway.routing.strategy != "failover":
        return providers
    listed = {name: number for number, name in enumerate(entries)}

    def place(numbered: tuple[int, keys.Provider]) -> tuple[int, int]:
        provider = numbered[1]
        entry = entries.get(provider.name)
        stated = (entry.routed.priority if entry is not None else None, provider.priority, 1)
        priority = next(number for number in stated if number is not None)
        return priority, listed.get(provider.name, len(listed))

    return sorted(providers, key=place)


def _first(places: list[Place], key: str) -> Told | None:
    return next((told for place in places if (told := place(key)) is not None), None)


def _price(at: Place, notes: Notes) -> Told | None:
    """``cost`` has two spellings."""
    flat_in, flat_out = at("cost_per_1k_input"), at("cost_per_1k_output")
    if at("cost") is not None:
        if flat_in or flat_out:
            notes.refuse((*at.path, "cost"), "cost_per_1k_input and cost_per_1k_output say it too: keep one spelling")
        prices = {"inputPer1k": at("cost", "input_per_1k"), "outputPer1k": at("cost", "output_per_1k")}
        return at.says(prices, "cost")
    if flat_in is None and flat_out is None:
        return None
    if flat_in is None or flat_out is None:
        key = "cost_per_1k_output" if flat_in is not None else "cost_per_1k_input"
        notes.refuse((*at.path, key), "missing: the two prices go together")
        return None
    return at.says({"inputPer1k": flat_in, "outputPer1k": flat_out})


def _limits(places: list[Place]) -> Told | None:
    place = next((place for place in places if place("rate_limit") is not None), None)
    if place is None:
        return None
    limits = {
        "requestsPerMinute": place("rate_limit", "requests_per_minute"),
        "tokensPerMinute": place("rate_limit", "tokens_per_minute"),
        "concurrentRequests": place("rate_limit", "concurrent_requests"),
    }
    return place.says(limits, "rate_limit") if any(limits.values()) else None


def _with_limits(providers: list[Told], gateway: Place, notes: Notes) -> list[Told]:
    """The gateway's own ``rate_limit`` is for each provider that has none."""
    limits = _limits([gateway])
    if limits is not None:
        notes.warn(limits.path, "holds for each provider that has no rate_limit of its own, not for all together")
    return [Told({**told.value, "rateLimit": told.value["rateLimit"] or limits}, told.path) for told in providers]


def _models(provider: keys.Provider, at: Place, kind: str, gateway: keys.Gateway, notes: Notes) -> dict[str, Any]:
    """Which models the provider answers with.

    Where ``model_mapping`` gives a listed name another model of this provider, that model takes the name's place: a
    request for the name must not reach the model that happens to be called so.
    """
    mapped = {alias: by[provider.name] for alias, by in gateway.model_mapping.items() if provider.name in by}
    listed: dict[str, Any] = {}
    for i, name in enumerate(provider.models):
        if name in mapped and mapped[name] != name:
            continue
        listed.setdefault(name, at("models", i))
    names = at.within("deployments").data
    if not provider.models and isinstance(names, Mapping):
        listed = {name: at.says(name, "deployments", name) for name in names}
    for alias, model in mapped.items():
        mapping = Place(gateway.model_mapping, ("ai_gateway", "model_mapping"))
        listed.setdefault(model, mapping.says(model, alias, provider.name))
    if provider.default_model is not None:
        return {"models": list(listed.values()) or None, "defaultModel": at("default_model")}
    default = None if listed else DEFAULT_MODELS.get(kind)
    if not provider.models and provider.enabled and (listed or default):
        message = f"lists no models: it answers for {', '.join(listed)} only, not for every name"
        if default:
            message = f"lists no models: {default} answers for every name"
        notes.warn(at.path, f"{message}; list the models that it may answer with")
    return {"models": list(listed.values()) or None, "defaultModel": at.says(default) if default else None}


LOOM = Dialect(
    name="loom",
    whose="Loom's",
    keys=("ai_gateway",),
    struct=keys.Loom,
    gaps=keys.GAPS,
    convert=_convert,
    beside=("server", "access", "state"),
)
