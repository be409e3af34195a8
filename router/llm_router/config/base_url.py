"""Base URLs with the version path, whether the operator wrote it or not."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from .providers import PROVIDER_TYPES
from .schema import Cluster, Provider

CLUSTER_VERSION_PATH = "/v1"
_VERSION = re.compile(r"v[0-9]+(?:(?:alpha|beta|preview)[0-9]*)?")


def base_url(owner: Cluster | Provider) -> str:
    """Without a trailing slash; the version path is added unless the path names a version already.

    Raises ``ValueError`` for a provider whose type has no base URL of its own and that states none; ``check`` refuses
    such a configuration.
    """
    if isinstance(owner, Cluster):
        return with_version(owner.endpoint, CLUSTER_VERSION_PATH)
    known = PROVIDER_TYPES[owner.type]
    url = owner.base_url or known.base_url
    if url is None:
        raise ValueError(f"provider {owner.name} has no base URL")
    return with_version(url, known.version_path)


def root_url(cluster: Cluster) -> str:
    """The gate itself, without the version path: ``/cluster/status`` and ``/health`` live there."""
    return base_url(cluster).removesuffix(CLUSTER_VERSION_PATH)


def health_url(provider: Provider) -> str:
    """What a health check asks: ``healthCheck.endpoint`` with or without the version path, else the model list."""
    path = (provider.health_check.endpoint or PROVIDER_TYPES[provider.type].health_path).lstrip("/")
    first, _, rest = path.partition("/")
    # The base URL names the version already, whichever of them it is.
    return f"{base_url(provider)}/{rest if rest and _VERSION.fullmatch(first) else path}"


def with_version(url: str, version_path: str) -> str:
    """``https://h`` and ``https://h/v1/`` are both ``https://h/v1``; ``https://h/api/v4`` stays what it is."""
    url = url.rstrip("/")
    if any(_VERSION.fullmatch(segment) for segment in urlsplit(url).path.split("/")):
        return url
    return url + version_path
