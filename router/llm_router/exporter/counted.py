"""From the configuration to the census that it asks for."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping

from ..upstream.signing import Signer
from .census import Address, Census, Listed, Resolved, Servers, Together
from .config import ExporterConfig, GateAccess, Upstream
from .kubernetes import Endpoints, LabelledNodes, namespace_of, registry_of


@contextlib.asynccontextmanager
async def census_of(config: ExporterConfig, env: Mapping[str, str]) -> AsyncIterator[Census]:
    """``env`` tells a pod where its API server is. Raises ``ConfigError`` where nothing does."""
    settings = config.kubernetes
    listed = Together([_servers(upstream, config) for upstream in config.upstreams])
    if settings is None:
        yield Census(listed)
        return
    registry = registry_of(settings, env)
    async with contextlib.aclosing(registry):
        nodes = None if settings.node_selector is None else LabelledNodes(registry, settings.node_selector)
        if settings.service is None:
            yield Census(listed, nodes)
            return
        where = namespace_of(settings), settings.service
        like = Address("", settings.api_key, _signer(settings.gate, config))
        yield Census(Endpoints(registry, *where, settings.port, like), nodes)


def _servers(upstream: Upstream, config: ExporterConfig) -> Servers:
    address = Address(upstream.url, upstream.api_key, _signer(upstream.gate, config))
    return Resolved(address) if upstream.dns else Listed([address])


def _signer(gate: GateAccess | None, config: ExporterConfig) -> Signer | None:
    return None if gate is None else Signer(gate.id, gate.secret, gate.authority, config.pool)
