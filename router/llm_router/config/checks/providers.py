"""Each enabled provider is of a known type and says all that its type needs, and nothing that it can not use."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from ..findings import Finding, Path, meant, quote
from ..hosts import is_loopback, url_fault
from ..providers import PROVIDER_TYPES, nearest_type
from ..request_headers import CREDENTIAL_HEADERS
from ..schema import Provider, ProviderModel
from .draft import Draft

_SET_BY_THE_ROUTER = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "te", "trailer", "upgrade"}
    | {"accept-encoding", "expect", "keep-alive", "proxy-connection"}
)


def types_are_known(draft: Draft) -> Iterator[Finding]:
    for i, provider in draft.providers():
        if provider.type in PROVIDER_TYPES:
            continue
        near = nearest_type(provider.type)
        hint = f"did you mean {near}?" if near else "plugins are not yet available; use openai-compatible if it is"
        message = f"unknown type {quote(provider.type)} (known: {', '.join(sorted(PROVIDER_TYPES))}): {hint}"
        yield Finding(("externalProviders", i, "type"), message)


def providers_are_complete(draft: Draft) -> Iterator[Finding]:
    for i, provider in draft.providers():
        known = PROVIDER_TYPES.get(provider.type)
        if provider.type == "vertex":
            for key, value in (("projectId", provider.project_id), ("location", provider.location)):
                if value is None:
                    yield Finding(("externalProviders", i, key), "missing: a provider of type vertex needs it")
        elif not provider.api_key and not _may_be_open(provider):
            yield Finding(("externalProviders", i, "apiKey"), "missing: an enabled provider needs it")
        if not provider.models and not provider.default_model:
            yield Finding(("externalProviders", i, "models"), "missing: name at least one model, or a defaultModel")
        if known is not None and known.base_url is None and not provider.base_url:
            yield Finding(("externalProviders", i, "baseUrl"), f"missing: {provider.type} has no address of its own")


def _may_be_open(provider: Provider) -> bool:
    """A server of one's own often asks for no key: on this machine, or in a network that nobody else is in."""
    if provider.type != "openai-compatible" or not provider.base_url:
        return False
    return provider.private or (
        url_fault(provider.base_url, private=True) is None and is_loopback(urlsplit(provider.base_url).hostname or "")
    )


def base_urls_are_sane(draft: Draft) -> Iterator[Finding]:
    for i, provider in draft.providers():
        fault = url_fault(provider.base_url, private=provider.private) if provider.base_url is not None else None
        if fault is None and provider.type == "azure" and "/deployments/" in (provider.base_url or ""):
            fault = "write the resource alone, https://NAME.openai.azure.com, and the deployment in deployments"
        if fault:
            yield Finding(("externalProviders", i, "baseUrl"), fault)


def headers_are_free(draft: Draft) -> Iterator[Finding]:
    for i, provider in draft.providers():
        seen: set[str] = set()
        for name in provider.headers:
            lower = name.lower()
            path = ("externalProviders", i, "headers", name)
            if lower in CREDENTIAL_HEADERS:
                yield Finding(path, "credentials do not belong here: use apiKey")
            elif lower in _SET_BY_THE_ROUTER or lower.startswith(("x-llmr-", "x-llm-router-")):
                yield Finding(path, "the router sets this header itself: remove it")
            elif lower in seen:
                yield Finding(path, "stands here already in another spelling: keep one")
            seen.add(lower)


def deployments_are_of_models(draft: Draft) -> Iterator[Finding]:
    for i, provider in draft.providers():
        served = {model.name if isinstance(model, ProviderModel) else model for model in provider.models}
        served |= {provider.default_model} if provider.default_model else set()
        for model in provider.deployments:
            if model not in served:
                message = f"this provider has no model of that name{meant(model, sorted(served))}"
                yield Finding(("externalProviders", i, "deployments", model), message)


def keys_fit_the_type(draft: Draft) -> Iterator[Finding]:
    for i, provider in draft.providers():
        for key, value in _keys_of_some_types(provider).items():
            if value:
                message = f"has no meaning for a provider of type {provider.type}: remove it"
                yield Finding(("externalProviders", i, key), message)


def _keys_of_some_types(provider: Provider) -> dict[str, Any]:
    """The keys that this provider's type can not use, with what was written there."""
    keys: dict[str, Any] = {}
    known = PROVIDER_TYPES.get(provider.type)
    if provider.type == "azure" or (known is not None and known.wire != "openai"):
        keys |= {"organization": provider.organization, "project": provider.project}
    if provider.type != "azure":
        keys |= {"apiVersion": provider.api_version, "deployments": provider.deployments}
    if provider.type == "vertex":
        keys |= {"apiKey": provider.api_key}
    else:
        keys |= {
            "projectId": provider.project_id,
            "location": provider.location,
            "credentialsFile": provider.credentials_file,
        }
    return keys


def prices_are_dated(draft: Draft) -> Iterator[Finding]:
    for i, provider in draft.providers():
        here: Path = ("externalProviders", i)
        places = [((*here, "price"), provider.price)]
        for j, model in enumerate(provider.models):
            if isinstance(model, ProviderModel):
                places.append(((*here, "models", j, "price"), model.price))
        for path, price in places:
            if price is not None and price.as_of is not None and not _is_a_day(price.as_of):
                yield Finding((*path, "asOf"), f"{quote(price.as_of)} is no day of the calendar")


def _is_a_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def health_paths_are_paths(draft: Draft) -> Iterator[Finding]:
    for i, provider in draft.providers():
        endpoint = provider.health_check.endpoint
        if endpoint is not None and url_fault(f"https://host{endpoint}", private=False) is not None:
            yield Finding(
                ("externalProviders", i, "healthCheck", "endpoint"),
                "must be a path such as /v1/models, without a query",
            )
