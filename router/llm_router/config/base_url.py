"""Base URLs with the version path, whether the operator wrote it or not."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from .providers import PROVIDER_TYPES
from .schema import Cluster, Provider, ProviderModel

CLUSTER_VERSION_PATH = "/v1"
_VERSION = re.compile(r"v[0-9]+(?:(?:alpha|beta|preview)[0-9]*)?")


def base_url(owner: Cluster | Provider) -> str:
    """Without a trailing slash; the version path is added unless the path names a version already.

    Raises ``ValueError`` for a provider whose type has no base URL of its own and that states none; ``check`` refuses
    such a configuration.
    """
    if isinstance(owner, Cluster):
        return with_version(owner.endpoint, CLUSTER_VERSION_PATH)
    if owner.type == "vertex":
        return f"{_vertex_url(owner)}/projects/{owner.project_id}/locations/{owner.location}/publishers/google"
    known = PROVIDER_TYPES[owner.type]
    url = owner.base_url or known.base_url
    if url is None:
        raise ValueError(f"provider {owner.name} has no base URL")
    if owner.type == "azure":
        return _azure_url(url, owner.api_version)
    return with_version(url, known.version_path)


def root_url(cluster: Cluster) -> str:
    """The gate itself, without the version path: ``/cluster/status`` and ``/health`` live there."""
    return base_url(cluster).removesuffix(CLUSTER_VERSION_PATH)


def health_url(provider: Provider) -> str:
    """What a health check asks: ``healthCheck.endpoint`` with or without the version path, else the model list."""
    path = (provider.health_check.endpoint or _health_path(provider)).lstrip("/")
    first, _, rest = path.partition("/")
    # The base URL names the version already, whichever of them it is.
    path = rest if rest and _VERSION.fullmatch(first) else path
    base = _vertex_url(provider) if provider.type == "vertex" else base_url(provider)
    return f"{base}/{path}" + (f"?api-version={provider.api_version}" if provider.api_version else "")


def with_version(url: str, version_path: str) -> str:
    """``https://h`` and ``https://h/v1/`` are both ``https://h/v1``; ``https://h/api/v4`` stays what it is."""
    url = url.rstrip("/")
    if any(_VERSION.fullmatch(segment) for segment in urlsplit(url).path.split("/")):
        return url
    return url + version_path


def _azure_url(url: str, api_version: str | None) -> str:
    """The resource's, for the v1 API or for a dated one, whichever of them the operator's URL was copied from."""
    resource = url.rstrip("/").removesuffix("/v1").removesuffix("/openai")
    return resource + ("/openai/v1" if api_version is None else "/openai")


def _vertex_url(provider: Provider) -> str:
    """Where the models of a location are served. A multi-region (``us``, ``eu``) has a host that keeps to it."""
    match provider.location:
        case _ if provider.base_url:
            url = provider.base_url
        case "global":
            url = "https://aiplatform.googleapis.com"
        case "us" | "eu":
            url = f"https://aiplatform.{provider.location}.rep.googleapis.com"
        case _:
            url = f"https://{provider.location}-aiplatform.googleapis.com"
    return with_version(url, PROVIDER_TYPES["vertex"].version_path)


def _health_path(provider: Provider) -> str:
    """Vertex lists no models; it describes each of them."""
    if provider.type != "vertex":
        return PROVIDER_TYPES[provider.type].health_path
    named = provider.models[0] if provider.models else provider.default_model
    return f"publishers/google/models/{named.name if isinstance(named, ProviderModel) else named}"
