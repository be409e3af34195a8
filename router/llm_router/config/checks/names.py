"""Names are unique, and every name that is referred to exists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..findings import Finding, Path, meant, quote
from ..providers import PROVIDER_TYPES
from ..schema import Cluster, Provider
from .draft import Draft


def names_are_unique(draft: Draft) -> Iterator[Finding]:
    """Clusters and providers share one name space: a target's name says whose it is."""
    seen: dict[str, str] = {}
    owners: list[tuple[Path, str]] = [(("clusters", i), c.name) for i, c in draft.clusters()]
    owners += [(("externalProviders", i), p.name) for i, p in enumerate(draft.config.external_providers)]
    for path, name in owners:
        kind = "cluster" if path[0] == "clusters" else "provider"
        if name in seen:
            yield Finding((*path, "name"), f"a {seen[name]} is called {name} already: choose another name")
        seen.setdefault(name, kind)


def models_are_unique(draft: Draft) -> Iterator[Finding]:
    for i, cluster in draft.clusters():
        yield from _repeated(("clusters", i, "models"), _listed(cluster))
    for i, provider in draft.providers():
        yield from _repeated(("externalProviders", i, "models"), _listed(provider))


def routes_exist(draft: Draft) -> Iterator[Finding]:
    """A route names a cluster or provider, or one target of it (``owner/model``)."""
    names = by_target_name(draft.owners)
    for model, name in draft.config.router.model_routes.items():
        path = ("router", "modelRoutes", model)
        owner = names.get(name)
        if owner is None:
            yield from _unknown(draft, path, name, names)
        elif isinstance(owner, Provider) and not owner.enabled:
            yield Finding(path, f"the provider {owner.name} is disabled: enable it, or choose another")


def mappings_exist(draft: Draft) -> Iterator[Finding]:
    owners = draft.owners
    for alias, by_owner in draft.config.router.model_mapping.items():
        for name, model in by_owner.items():
            path = ("router", "modelMapping", alias, name)
            owner = owners.get(name)
            if owner is None:
                yield from _unknown(draft, path, name, owners)
                continue
            served = _served(owner)
            if served and model not in served:
                yield Finding(path, f"{name} does not serve {quote(model)}{meant(model, served)}")


def categories_are_unique(draft: Draft) -> Iterator[Finding]:
    seen: set[str] = set()
    for i, category in enumerate(draft.config.router.categories):
        if category.name in seen:
            message = f"{quote(category.name)} is the name of an earlier category: give all examples in one"
            yield Finding(("router", "categories", i, "name"), message)
        seen.add(category.name)


def embeddings_are_served(draft: Draft) -> Iterator[Finding]:
    """Whoever embeds prompts is in the file, enabled, and speaks OpenAI's API; and there is something to tell by it."""
    router = draft.config.router
    if router.embeddings is None:
        return
    path: Path = ("router", "embeddings")
    owner = draft.owners.get(router.embeddings.target)
    if owner is None:
        message = f"no cluster or provider is called {quote(router.embeddings.target)}"
        yield Finding((*path, "target"), message + meant(router.embeddings.target, draft.owners))
    elif isinstance(owner, Provider) and not owner.enabled:
        yield Finding((*path, "target"), f"the provider {owner.name} is disabled: enable it, or choose another")
    elif isinstance(owner, Provider) and not _embeds(owner.type):
        yield Finding(
            (*path, "target"),
            f"{owner.name} has no /v1/embeddings as OpenAI has it: choose a cluster or an OpenAI-like API",
        )
    if not router.categories:
        yield Finding(path, "there are no router.categories to tell by it: give some, or remove it")


def _embeds(provider_type: str) -> bool:
    kind = PROVIDER_TYPES.get(provider_type)
    return kind is None or (kind.wire == "openai" and provider_type != "azure")


def fallback_exists(draft: Draft) -> Iterator[Finding]:
    """The last resort is somebody who may be asked, after something."""
    router = draft.config.router
    fallback = router.failover.fallback
    if fallback is None:
        return
    path: Path = ("router", "failover", "fallback")
    names = by_target_name(draft.owners)
    owner = names.get(fallback.target)
    if owner is None:
        yield from _unknown(draft, (*path, "target"), fallback.target, names)
    elif isinstance(owner, Provider) and not owner.enabled:
        yield Finding((*path, "target"), f"the provider {owner.name} is disabled: enable it, or choose another")
    elif isinstance(owner, Provider) and not router.enable_external_fallback:
        yield Finding((*path, "target"), f"{owner.name} is a provider, and router.enableExternalFallback is false")
    if not fallback.on_error and not fallback.on_rate_limit:
        yield Finding(path, "neither onError nor onRateLimit: it would follow nothing; allow one, or remove it")


def baseline_exists(draft: Draft) -> Iterator[Finding]:
    """Savings are measured against one model of a provider that could be asked."""
    named = draft.config.router.cost.baseline
    if named is None:
        return
    path: Path = ("router", "cost", "baseline")
    by_provider = {p.name: [f"{p.name}/{model}" for model in _served(p)] for _, p in draft.providers()}
    targets = [target for targets in by_provider.values() for target in targets]
    own = by_provider.get(named)
    if own is not None and len(own) > 1:
        yield Finding(path, f"{named} serves several models: name one, {' or '.join(own)}")
    elif own is None and named not in targets:
        yield Finding(path, f"no enabled provider serves {quote(named)}{meant(named, targets)}")


def by_target_name(owners: Mapping[str, Cluster | Provider]) -> dict[str, Cluster | Provider]:
    """Owners by their own names and by those of their targets: ``owner/model`` where there are several models."""
    return {**owners, **{f"{owner.name}/{model}": owner for owner in owners.values() for model in _several(owner)}}


def _listed(owner: Cluster | Provider) -> list[str]:
    return [model if isinstance(model, str) else model.name for model in owner.models]


def _served(owner: Cluster | Provider) -> list[str]:
    """The models that a cluster or provider says it serves."""
    default = owner.default_model if isinstance(owner, Provider) else None
    listed = _listed(owner)
    return listed if default is None or default in listed else [*listed, default]


def _several(owner: Cluster | Provider) -> list[str]:
    """Where there is but one model its target is called as its owner is."""
    served = _served(owner)
    return served if len(served) > 1 else []


def _repeated(path: Path, names: list[str]) -> Iterator[Finding]:
    for i, name in enumerate(names):
        if name in names[:i]:
            yield Finding((*path, i), f"{quote(name)} is in the list already: keep one")


def _unknown(draft: Draft, path: Path, name: str, owners: Iterable[str]) -> Iterator[Finding]:
    if draft.names_are_final:
        yield Finding(path, f"no cluster or provider is called {quote(name)}{meant(name, owners)}")
