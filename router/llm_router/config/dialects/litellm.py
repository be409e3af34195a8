"""LiteLLM's ``model_list`` → native data.

Each entry becomes a provider with one model; entries that share a ``model_name`` answer for it together. A chain of
fallbacks becomes a rule: these providers first, then those, and nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..findings import Path, meant, quote
from . import litellm_keys as keys
from .accounts import private, provider_type, usd_per_1k
from .base import Dialect, Notes, Place, Told
from .litellm_accounts import ACCOUNTS, split

_STRATEGIES = {"simple-shuffle": "weighted", "latency-based-routing": "latency", "cost-based-routing": "cost"}
_REFERENCE = re.compile(r"os\.environ/([A-Za-z_][A-Za-z0-9_]*)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_USUAL_TIMEOUTS_S = {"connect": 2.0, "firstToken": 30.0, "betweenTokens": 30.0}


class _Deployed(NamedTuple):
    """An entry of ``model_list``: the provider that it becomes. ``group`` is the name that clients ask for."""

    name: str
    group: str
    prefix: str
    model: str
    entry: keys.Entry
    at: Place


def _convert(config: keys.LiteLLM, at: Place, notes: Notes) -> dict[str, Any]:
    deployed = list(_deployed(config, at, notes))
    groups: dict[str, list[_Deployed]] = {}
    for one in deployed:
        groups.setdefault(one.group, []).append(one)
    fallbacks = _fallbacks(config, groups, at, notes)
    _check_general(config, notes)
    parallel = at("router_settings", "default_max_parallel_requests")
    return {
        "router": {
            "routingStrategy": _strategy(config, groups, at, notes),
            "healthCheckInterval": at("general_settings", "health_check_interval"),
            "timeouts": _timeouts(config, at),
            "failover": _failover(config, at),
            "modelMapping": _mapping(config, groups, fallbacks, at, notes),
        },
        "externalProviders": [_provider(one, groups[one.group], parallel, notes) for one in deployed],
        "state": _state(config, at),
        "rules": list(_rules(config, groups, fallbacks, notes)) or None,
    }


def _references(data: Any) -> Any:
    """``os.environ/NAME`` as ``${NAME}``, wherever it stands."""
    if isinstance(data, Mapping):
        return {key: _references(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_references(value) for value in data]
    found = _REFERENCE.fullmatch(data) if isinstance(data, str) else None
    return f"${{{found[1]}}}" if found else data


# ---------------------------------------------------------------- model_list


def _deployed(config: keys.LiteLLM, at: Place, notes: Notes) -> Iterator[_Deployed]:
    taken: set[str] = set()
    for i, entry in enumerate(config.model_list):
        place = at.within("model_list", i)
        params = entry.litellm_params
        prefix, model = split(params.model, params.custom_llm_provider)
        path = (*place.path, "litellm_params", "model")
        if "*" in entry.model_name or "*" in params.model:
            notes.refuse(path, "names with * are not yet available: list each model")
        elif prefix not in ACCOUNTS:
            known = f"write PROVIDER/MODEL with one of {', '.join(ACCOUNTS)}"
            what = f"{quote(prefix)} is no provider that this router knows" if prefix else "it does not say whose it is"
            notes.refuse(path, f"{what}: {known}")
        else:
            yield _Deployed(_named(entry, place, taken), entry.model_name, prefix, model, entry, place)


def _named(entry: keys.Entry, at: Place, taken: set[str]) -> str:
    """``model_info.id`` where it will do for a name, else what is called; made unique by a number."""
    params = entry.litellm_params
    stated = entry.model_info.id
    base = stated if stated and _NAME.fullmatch(stated) else re.sub(r"[^A-Za-z0-9._]+", "-", params.model).strip("-._")
    base, number = base[:56] or "model", 1
    name = base
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name)
    return name


def _provider(one: _Deployed, group: list[_Deployed], parallel: Told | None, notes: Notes) -> Told:
    entry, params, at = one.entry, one.entry.litellm_params, one.at.within("litellm_params")
    account = ACCOUNTS[one.prefix]
    url, url_key = (params.api_base, "api_base") if params.api_base is not None else (params.base_url, "base_url")
    if params.api_base is not None and params.base_url is not None:
        notes.refuse((*at.path, "base_url"), "means the same as api_base: keep one of them")
    kind = provider_type(account.type, url)
    key = at("api_key")
    if key is None and account.key_variable is not None and kind == account.type:
        key = at.says(f"${{{account.key_variable}}}")
    model = at.says(one.model, "model")
    context = one.at("model_info", "max_input_tokens")
    return one.at.says(
        {
            "name": at.says(one.name, "model"),
            "type": at.says(kind, "model"),
            "apiKey": key,
            "baseUrl": at(url_key) or (at.says(account.base_url, "model") if account.base_url else None),
            "models": [model if context is None else {"name": model, "contextLength": context}],
            "weight": _weight(one, group),
            "region": at("region_name"),
            "headers": at("extra_headers"),
            "rateLimit": _limits(one, parallel),
            "price": _price(entry, one.at, notes),
            "organization": at("organization"),
            "apiVersion": at("api_version"),
            "deployments": {one.model: model} if kind == "azure" else None,
            "projectId": at("vertex_project"),
            "location": at("vertex_location"),
            "credentialsFile": at("vertex_credentials"),
            "private": private(at, url, url_key),
        }
    )


def _weight(one: _Deployed, group: list[_Deployed]) -> Told | None:
    """LiteLLM shuffles by ``weight``, else by ``rpm``, else by ``tpm``: the first that anybody in the group states."""
    for key in ("weight", "rpm", "tpm"):
        stated = [_stated(other, key) for other in group]
        if any(value is not None for value in stated):
            return _stated(one, key) or one.at.says(0)
    return None


def _limits(one: _Deployed, parallel: Told | None) -> Told | None:
    limits = {
        "requestsPerMinute": _stated(one, "rpm"),
        "tokensPerMinute": _stated(one, "tpm"),
        "concurrentRequests": _stated(one, "max_parallel_requests") or parallel,
    }
    first = next((limit for limit in limits.values() if limit is not None), None)
    return None if first is None else Told(limits, first.path)


def _stated(one: _Deployed, key: str) -> Told | None:
    return one.at("litellm_params", key) or one.at(key)


def _price(entry: keys.Entry, at: Place, notes: Notes) -> Told | None:
    params, info = entry.litellm_params, entry.model_info
    for section, stated in (("litellm_params", params), ("model_info", info)):
        pair = (stated.input_cost_per_token, stated.output_cost_per_token)
        if pair == (None, None):
            continue
        place = at.within(section)
        if None in pair:
            notes.refuse((*place.path, _PRICES[pair.index(None)]), "missing: the two prices go together")
            return None
        told = (place.says(usd_per_1k(usd or 0.0), key) for key, usd in zip(_PRICES, pair, strict=True))
        return place.says(dict(zip(("inputPer1k", "outputPer1k"), told, strict=True)))
    return None


_PRICES = ("input_cost_per_token", "output_cost_per_token")


# ---------------------------------------------------------------- names


def _mapping(
    config: keys.LiteLLM,
    groups: dict[str, list[_Deployed]],
    fallbacks: Mapping[str, tuple[list[str], Path]],
    at: Place,
    notes: Notes,
) -> dict[str, dict[str, Told]]:
    """Which names lead to which model: groups, their aliases, and those that may stand in for them."""
    mapping: dict[str, dict[str, Told]] = {}
    reached = {
        group: [*members, *(one for name in fallbacks.get(group, ([], ()))[0] for one in groups[name])]
        for group, members in groups.items()
    }
    for group in groups:
        for one in reached[group]:
            if one.model != group:
                mapping.setdefault(group, {})[one.name] = one.at.says(one.model, "litellm_params", "model")
        _warn_of_others(group, reached[group], groups, notes)
    place = at.within("router_settings", "model_group_alias")
    for alias, group in config.router_settings.model_group_alias.items():
        if group not in groups:
            notes.refuse((*place.path, alias), f"no model_name is {quote(group)}{meant(group, groups)}")
        for one in reached.get(group, ()):
            mapping.setdefault(alias, {})[one.name] = place.says(one.model, alias)
    return mapping


def _warn_of_others(group: str, members: list[_Deployed], groups: dict[str, list[_Deployed]], notes: Notes) -> None:
    """A provider answers for the name of its own model too, whatever LiteLLM calls it."""
    for other, theirs in groups.items():
        for one in theirs:
            if other != group and one.model == group and one not in members:
                path = (*one.at.path, "litellm_params", "model")
                notes.warn(path, f"requests for {quote(group)} reach this one too: its own model is called so")


# ---------------------------------------------------------------- fallbacks


def _fallbacks(
    config: keys.LiteLLM, groups: dict[str, list[_Deployed]], at: Place, notes: Notes
) -> dict[str, tuple[list[str], Path]]:
    """For each group the groups that follow it, and where that is said."""
    chains: dict[str, tuple[list[str], Path]] = {}
    for section, settings in (
        ("router_settings", config.router_settings),
        ("litellm_settings", config.litellm_settings),
    ):
        for i, chain in enumerate(settings.fallbacks):
            for group, others in chain.items():
                path: Path = (section, "fallbacks", i, group)
                if group in others:
                    notes.refuse(path, f"{quote(group)} would follow itself: leave it out")
                elif group in chains and chains[group][0] != list(others):
                    notes.refuse(path, f"{quote(group)} has other fallbacks already: join the two")
                elif _all_known((group, *others), groups, path, notes):
                    chains.setdefault(group, (list(others), path))
        path = (section, "default_fallbacks")
        if _all_known(settings.default_fallbacks, groups, path, notes):
            for group in groups:
                defaults = [other for other in settings.default_fallbacks if other != group]
                if defaults:
                    chains.setdefault(group, (defaults, path))
    return chains


def _all_known(names: Iterable[str], groups: Iterable[str], path: Path, notes: Notes) -> bool:
    strangers = [name for name in names if name not in groups]
    for name in strangers:
        notes.refuse(path, f"no model_name is {quote(name)}{meant(name, groups)}")
    return not strangers


def _rules(
    config: keys.LiteLLM,
    groups: dict[str, list[_Deployed]],
    fallbacks: Mapping[str, tuple[list[str], Path]],
    notes: Notes,
) -> Iterator[Told]:
    shuffled = config.router_settings.routing_strategy == "simple-shuffle"
    for number, (group, (others, path)) in enumerate(fallbacks.items(), start=1):
        first = [one.name for one in groups[group]]
        if len(first) > 1 and not shuffled:
            notes.refuse(path, "fallbacks of a name with several deployments go with simple-shuffle only")
        second = list(dict.fromkeys(one.name for other in others for one in groups[other] if one.name not in first))
        models = [group, *(a for a, g in config.router_settings.model_group_alias.items() if g == group)]
        lead: dict[str, Any] = {"type": "route_to_provider", "target": first[0]}
        if len(first) > 1:
            lead = {"type": "load_balance", "targets": first}
        yield Told(
            {
                "name": f"fallback-{number}",
                "conditions": [{"type": "model", "models": models}],
                "actions": [lead, {"type": "failover", "failoverTargets": second}],
            },
            path,
        )


# ---------------------------------------------------------------- settings


def _strategy(config: keys.LiteLLM, groups: dict[str, list[_Deployed]], at: Place, notes: Notes) -> Told | None:
    place = at.within("router_settings")
    written = config.router_settings.routing_strategy
    if written not in _STRATEGIES:
        message = f"{written} is not yet available: use {', '.join(_STRATEGIES)}"
        notes.refuse((*place.path, "routing_strategy"), message)
        return None
    if place("routing_strategy") is None and all(len(members) == 1 for members in groups.values()):
        return None
    return place.says(_STRATEGIES[written], "routing_strategy")


def _timeouts(config: keys.LiteLLM, at: Place) -> dict[str, Told | None]:
    """LiteLLM's bound a whole answer, or the silence in a stream; no other of the router's may exceed the total."""
    total = at("router_settings", "timeout") or at("litellm_settings", "request_timeout")
    total_s = config.router_settings.timeout or config.litellm_settings.request_timeout
    silence = at("router_settings", "stream_timeout")
    told: dict[str, Told | None] = {"total": total, "firstToken": silence, "betweenTokens": silence}
    if total is not None and total_s is not None:
        for key, usual_s in _USUAL_TIMEOUTS_S.items():
            if told.get(key) is None and total_s < usual_s:
                told[key] = total
    return told


def _state(config: keys.LiteLLM, at: Place) -> Told | None:
    """Limits in Redis, as LiteLLM shares them between its processes."""
    settings, place = config.router_settings, at.within("router_settings")
    if settings.redis_url is None and settings.redis_host is None:
        return None
    if settings.redis_url is not None:
        return place.says({"backend": "redis", "url": place("redis_url")}, "redis_url")
    port, number = place.within("redis_port").data or 6379, place.within("redis_db").data or 0
    url = f"redis://{place.within('redis_host').data}:{port}/{number}"
    own = private(place, f"http://{settings.redis_host}", "redis_host")
    told = {
        "backend": "redis",
        "url": place.says(url, "redis_host"),
        "password": place("redis_password"),
        "private": own,
    }
    return place.says(told, "redis_host")


def _failover(config: keys.LiteLLM, at: Place) -> dict[str, Any]:
    allowed = config.router_settings.allowed_fails
    section = "router_settings" if allowed is not None else "litellm_settings"
    if allowed is None:
        allowed = config.litellm_settings.allowed_fails
    threshold = None if allowed is None else at.says(allowed + 1, section, "allowed_fails")
    return {
        "maxRetries": at("router_settings", "num_retries") or at("litellm_settings", "num_retries"),
        "circuitBreaker": {"failureThreshold": threshold, "timeout": at("router_settings", "cooldown_time")},
    }


def _check_general(config: keys.LiteLLM, notes: Notes) -> None:
    if config.general_settings.master_key is not None:
        notes.warn(
            ("general_settings", "master_key"),
            "is not taken over: make client keys with llm-router keys create and name their file in "
            "access: {apiKeysFile: …}; without one the router serves loopback only, to everybody there",
        )


LITELLM = Dialect(
    name="litellm",
    whose="LiteLLM's",
    keys=("model_list",),
    struct=keys.LiteLLM,
    gaps=keys.GAPS,
    convert=_convert,
    prepare=_references,
)
