"""A pool's size and speed: from its status where that is sound, else as configured."""

from __future__ import annotations

import math

from ..config.schema import Cluster
from ..model import ClusterStatus, PoolView


def pool_of(cluster: Cluster) -> PoolView:
    """The pool before anything is known of it: the nodes that always run, and no others."""
    nodes = cluster.scaling.min_nodes
    return PoolView(
        nodes=nodes,
        slots=slots_of(cluster, None, nodes),
        prefill_tokens_per_second=prefill_of(cluster, None),
    )


def nodes_of(cluster: Cluster, status: ClusterStatus | None) -> int:
    """Nodes of a pool that is up: at least one."""
    return max(1, cluster.scaling.min_nodes if status is None else status.nodes)


def slots_of(cluster: Cluster, status: ClusterStatus | None, nodes: int) -> int | None:
    """Of all nodes together; ``None`` where nobody says."""
    if status is not None and nodes and status.slots_total:
        return status.slots_total
    per_node = cluster.capacity.slots
    return None if per_node is None else per_node * nodes


def prefill_of(cluster: Cluster, status: ClusterStatus | None) -> float | None:
    """Prompt tokens that one node reads per second."""
    speed = None if status is None else status.tokens_per_second.prefill
    if status is not None and speed is not None and status.nodes > 0 and 0 < speed < math.inf:
        return speed / status.nodes
    return cluster.capacity.prefill_tokens_per_second
