"""From the configuration to its targets: who serves which model, under which names, at which list price."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from ..config.providers import PROVIDER_TYPES
from ..config.schema import Cluster, Config, Price, Provider, ProviderModel
from ..errors import ConfigError, Problem
from ..model import Target
from ..pricing.list_prices import PriceBook

DEFAULT_ROUTE = "default"

DISCOVERED_MODEL = "default"
"""Stands for the model of a cluster that declares none: it answers with the first one that it turns out to serve."""

Owner = Cluster | Provider


class Served(Struct, frozen=True):
    """The models of one owner, with the context lengths that the configuration states. ``any_model`` means that it
    declares none and accepts every name."""

    models: dict[str, int | None]
    any_model: bool


def build_targets(config: Config, prices: PriceBook) -> tuple[Target, ...]:
    """Every target, in the order of the configuration, clusters first. Disabled providers have none.

    Raises ``ConfigError`` for owners and mappings that cannot be served.
    """
    problems = [*_owner_problems(config), *_mapping_problems(config)]
    if problems:
        raise ConfigError(problems)
    targets = [
        *(target for cluster in config.clusters for target in _cluster_targets(cluster, config)),
        *(target for provider in enabled_providers(config) for target in _provider_targets(provider, config, prices)),
    ]
    return tuple(targets)


def embedding_target(config: Config, prices: PriceBook) -> Target | None:
    """Who embeds prompts, as a target of its own that no request is routed to; ``None`` where nobody is configured.

    Raises ``ConfigError`` where it names nobody.
    """
    wanted = config.router.embeddings
    if wanted is None:
        return None
    owner = next((owner for owner in _owners(config) if owner.name == wanted.target), None)
    if owner is None:
        message = f"{wanted.target!r} is no cluster or provider; known are {_known_owners(config)}"
        raise ConfigError([Problem("router.embeddings.target", message)])
    price = None
    if isinstance(owner, Provider):
        price_id = PROVIDER_TYPES[owner.type].price_id
        price = prices.embedding(price_id, wanted.model) if owner.price is None else prices.configured(owner.price)
    return Target(
        name=f"{owner.name}/{wanted.model}",
        kind="cluster" if isinstance(owner, Cluster) else "provider",
        owner=owner.name,
        model=wanted.model,
        region=owner.region,
        compliance=frozenset(owner.compliance),
        list_price=price,
    )


def default_target(config: Config) -> str | None:
    """The name of the target that ``modelRoutes.default`` sends unknown model names to.

    Raises ``ConfigError`` where the route names nobody.
    """
    return _all_routes(config).get(DEFAULT_ROUTE)


def route_targets(config: Config) -> dict[str, str]:
    """Model name → the name of the target that ``modelRoutes`` names for it, ``default`` left out.

    A route may name a target or an owner; an owner with several models answers with the one that is asked for, by name
    or through ``modelMapping``, else with its ``defaultModel``, else with its first. Raises ``ConfigError`` as
    ``default_target`` does.
    """
    return {model: target for model, target in _all_routes(config).items() if model != DEFAULT_ROUTE}


def last_resort(config: Config) -> frozenset[str]:
    """The names of the targets of ``failover.fallback``, which come after all others."""
    fallback = config.router.failover.fallback
    if fallback is None:
        return frozenset()
    return frozenset(
        name
        for owner in _owners(config)
        for name in _target_names(owner).values()
        if fallback.target in (owner.name, name)
    )


def baseline_target(config: Config) -> str | None:
    """The name of the target that savings are measured against, where the configuration names one."""
    named = config.router.cost.baseline
    if named is None:
        return None
    return next(
        (
            target
            for provider in enabled_providers(config)
            for model, target in _target_names(provider).items()
            if named in (target, f"{provider.name}/{model}")
        ),
        None,
    )


def declared_models(config: Config) -> frozenset[str]:
    """Every model name to which the configuration gives a meaning of its own."""
    served = (model for owner in _owners(config) for model in _served(owner).models)
    return frozenset(served) | config.router.model_mapping.keys() | config.router.model_routes.keys()


def may_be_found(config: Config) -> bool:
    """Whether a name that nobody has now may be that of a cluster which discovery finds later."""
    return config.discovery.method != "static"


def enabled_providers(config: Config) -> Iterator[Provider]:
    return (provider for provider in config.external_providers if provider.enabled)


def _owners(config: Config) -> Iterator[Owner]:
    yield from config.clusters
    yield from enabled_providers(config)


def _served(owner: Owner) -> Served:
    if isinstance(owner, Cluster):
        declared = {model.name: model.context_length for model in owner.models}
        return Served(declared or {DISCOVERED_MODEL: None}, any_model=not declared)
    listed = [ProviderModel(name=model) if isinstance(model, str) else model for model in owner.models]
    models = {model.name: model.context_length for model in listed}
    any_model = not models
    if owner.default_model is not None:
        models.setdefault(owner.default_model, None)
    return Served(models, any_model)


def _target_names(owner: Owner) -> dict[str, str]:
    """Model → target name."""
    models = _served(owner).models
    return {model: owner.name if len(models) == 1 else f"{owner.name}/{model}" for model in models}


def _discovers(owner: Owner) -> bool:
    """Whether what the owner serves is only known once it runs."""
    return isinstance(owner, Cluster) and not owner.models


def _aliases(config: Config, owner: Owner, model: str) -> frozenset[str]:
    mapping = config.router.model_mapping
    return frozenset(
        alias
        for alias, models in mapping.items()
        if owner.name in models and (models[owner.name] == model or _discovers(owner))
    )


def _all_routes(config: Config) -> dict[str, str]:
    routes: dict[str, str] = {}
    problems: list[Problem] = []
    for model, name in config.router.model_routes.items():
        target = _routed(config, model, name)
        if target is None and may_be_found(config):
            continue
        if target is None:
            message = f"{name!r} is no cluster, enabled provider or target; known are {_known_owners(config)}"
            problems.append(Problem(f"router.modelRoutes.{model}", message))
        else:
            routes[model] = target
    if problems:
        raise ConfigError(problems)
    return routes


def _routed(config: Config, model: str, name: str) -> str | None:
    for owner in _owners(config):
        names = _target_names(owner)
        if name in names.values():
            return name
        if name == owner.name and names:
            mapped = config.router.model_mapping.get(model, {}).get(name)
            default = owner.default_model if isinstance(owner, Provider) else None
            return next((names[m] for m in (model, mapped, default) if m in names), next(iter(names.values())))
    return None


def _cluster_targets(cluster: Cluster, config: Config) -> Iterator[Target]:
    served, names = _served(cluster), _target_names(cluster)
    for model, context_length in served.models.items():
        yield Target(
            name=names[model],
            kind="cluster",
            owner=cluster.name,
            model=model,
            wire="llama.cpp" if cluster.type == "llama.cpp" else "openai",
            any_model=served.any_model,
            aliases=_aliases(config, cluster, model),
            region=cluster.region,
            cloud=cluster.provider,
            compliance=frozenset(cluster.compliance),
            capabilities=frozenset(cluster.capabilities),
            context_length=context_length,
            priority=cluster.priority,
            weight=cluster.weight,
            always_on=cluster.scaling.min_nodes >= 1,
            cold_start_s=float(cluster.scaling.cold_start),
            prefill_tokens_per_second=cluster.capacity.prefill_tokens_per_second,
        )


def _provider_targets(provider: Provider, config: Config, prices: PriceBook) -> Iterator[Target]:
    kind = PROVIDER_TYPES[provider.type]
    served, names = _served(provider), _target_names(provider)
    for model, context_length in served.models.items():
        price = _own_price(provider, model)
        yield Target(
            name=names[model],
            kind="provider",
            owner=provider.name,
            model=model,
            wire=kind.wire,
            any_model=served.any_model,
            aliases=_aliases(config, provider, model),
            region=provider.region,
            compliance=frozenset(provider.compliance),
            context_length=context_length or prices.context_length(kind.price_id, model),
            priority=provider.priority,
            weight=provider.weight,
            list_price=prices.lookup(kind.price_id, model) if price is None else prices.configured(price),
        )


def _own_price(provider: Provider, model: str) -> Price | None:
    """What the operator says that this model costs."""
    for listed in provider.models:
        if isinstance(listed, ProviderModel) and listed.name == model and listed.price is not None:
            return listed.price
    return provider.price


# ---------------------------------------------------------------- what is wrong with a configuration


def _owner_problems(config: Config) -> Iterator[Problem]:
    seen: set[str] = set()
    for owner in _owners(config):
        path = f"clusters[{owner.name}]" if isinstance(owner, Cluster) else f"externalProviders[{owner.name}]"
        for name in _target_names(owner).values():
            if name in seen:
                yield Problem(path, f"two targets are called {name!r}; give one of them another name")
            seen.add(name)
        if isinstance(owner, Cluster):
            continue
        if owner.type not in PROVIDER_TYPES:
            known = ", ".join(sorted(PROVIDER_TYPES))
            yield Problem(f"{path}.type", f"{owner.type!r} is no provider type; known are {known}")
        if not _served(owner).models:
            yield Problem(path, "has neither models nor a defaultModel; give it one of them")


def _mapping_problems(config: Config) -> Iterator[Problem]:
    owners = {owner.name: owner for owner in _owners(config)}
    disabled = {provider.name for provider in config.external_providers if not provider.enabled}
    for alias, models in config.router.model_mapping.items():
        for name, model in models.items():
            path = f"router.modelMapping.{alias}.{name}"
            if name in disabled:
                continue
            if name not in owners and may_be_found(config):
                continue
            if name not in owners:
                yield Problem(path, f"{name!r} is no cluster or provider; known are {_known_owners(config)}")
                continue
            if model not in _served(owners[name]).models and not _discovers(owners[name]):
                yield Problem(path, f"{name!r} does not serve {model!r}; list it under its models")


def _known_owners(config: Config) -> str:
    return ", ".join(owner.name for owner in _owners(config)) or "none"
