"""A platform's pools as the router's configuration fragment."""

from __future__ import annotations

from typing import Any

from . import estimate
from .router_fragment import Pool, from_secret, render
from .settings.model import NodePool, Platform

_CAPABILITIES = {"cpu": ("simple-tasks",), "gpu": ("simple-tasks", "complex-tasks")}

#: From nothing to a model that answers: a machine, its driver, the image, the model. An estimate until it is measured.
COLD_START_S = 300


def secret_name(pool: str) -> str:
    """File of the pool's current key in the router's directory of secrets."""
    return f"{pool}-gate-key"


def of(platform: Platform) -> dict[str, Any]:
    return render(platform.cloud, [_pool(platform, pool) for pool in platform.pools])


def _pool(platform: Platform, pool: NodePool) -> Pool:
    name = platform.pool_name(pool.kind)
    return Pool(
        name=name,
        endpoint=f"https://{platform.host(pool.kind)}",
        cloud=platform.cloud,
        region=platform.region,
        node_usd_per_hour=estimate.node_price(platform, pool).usd_per_hour,
        shared_secret=from_secret(secret_name(name)),
        key_id=f"{name}.{platform.gate_key_generation}",
        models=(pool.model,),
        capacity=pool.capacity,
        min_nodes=pool.min_nodes,
        max_nodes=pool.max_nodes,
        cold_start_s=COLD_START_S if pool.min_nodes == 0 else None,
        capabilities=_CAPABILITIES[pool.kind],
        compliance=platform.compliance,
    )
