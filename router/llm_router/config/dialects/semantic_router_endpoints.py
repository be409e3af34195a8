"""The single-cluster part of vLLM semantic-router's configuration: ``vllm_endpoints`` → native data."""

from __future__ import annotations

from typing import Any

from ..findings import meant, quote
from ..hosts import is_loopback
from . import semantic_router_keys as keys
from .accounts import private
from .base import Notes, Place, Told

HEALTH_PATH = "/health"


def single_cluster(config: keys.SemanticRouter, at: Place, native: dict[str, Any], notes: Notes) -> None:
    """``vllm_endpoints`` know no authentication. A cluster without any is for loopback only, so that an endpoint
    elsewhere becomes an account without a key, which the native checks take in a network of one's own."""
    names = [endpoint.name for endpoint in config.vllm_endpoints]
    for model, settings in config.model_config.items():
        place = at.within("model_config", model, "preferred_endpoints")
        for i, name in enumerate(settings.preferred_endpoints):
            if name not in names:
                notes.refuse((*place.path, i), f"no endpoint is called {quote(name)}{meant(name, names)}")
    for i, endpoint in enumerate(config.vllm_endpoints):
        place = at.within("vllm_endpoints", i)
        named = [place("models", j) for j in range(len(endpoint.models))]
        models = [*named, *(at.says(model, "model_config", model) for model in preferring(endpoint, config))]
        host = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
        url = f"http://{host}:{endpoint.port}"
        if endpoint.health_check_path != HEALTH_PATH:
            notes.refuse((*place.path, "health_check_path"), f"endpoints are asked at {HEALTH_PATH}: remove it")
        if is_loopback(endpoint.address):
            native["clusters"].append(_own_cluster(url, models, place))
        else:
            native["externalProviders"].append(_open_account(url, models, place))


def preferring(endpoint: keys.Endpoint, config: keys.SemanticRouter) -> list[str]:
    """The models that name this endpoint, and that it does not name itself."""
    named = (model for model, settings in config.model_config.items() if endpoint.name in settings.preferred_endpoints)
    return [model for model in named if model not in endpoint.models]


def _own_cluster(url: str, models: list[Any], at: Place) -> Told:
    return at.says(
        {
            "name": at("name"),
            "endpoint": at.says(url, "address"),
            "type": at.says("vllm"),
            "authType": at.says("none"),
            "models": [{"name": model} for model in models] or None,
            "weight": at("weight"),
        }
    )


def _open_account(url: str, models: list[Any], at: Place) -> Told:
    return at.says(
        {
            "name": at("name"),
            "type": at.says("openai-compatible"),
            "baseUrl": at.says(url, "address"),
            "models": models or None,
            "weight": at("weight"),
            "private": private(at, url, "address"),
        }
    )
