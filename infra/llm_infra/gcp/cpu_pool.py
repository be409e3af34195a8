"""The pool that always runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import container

from ..component import Component
from ..contract import PoolContract
from ..tags import Tags
from . import nodes


@dataclass(frozen=True, kw_only=True)
class GcpCpuPoolArgs:
    cluster_id: pulumi.Input[str]
    location: str
    node_zones: Sequence[str]
    account: pulumi.Input[str]
    machine_type: str
    min_nodes: int
    max_nodes: int
    spot: bool
    disk_gib: int
    contract: PoolContract
    tags: Tags


class GcpCpuPool(Component):
    def __init__(self, name: str, args: GcpCpuPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.pool = container.NodePool(
            name,
            cluster=args.cluster_id,
            location=args.location,
            node_locations=list(args.node_zones),
            initial_node_count=1,
            # Of the whole pool: the others count per zone.
            autoscaling=container.NodePoolAutoscalingArgs(
                total_min_node_count=args.min_nodes, total_max_node_count=args.max_nodes, location_policy="BALANCED"
            ),
            node_config=nodes.node_config(
                machine_type=args.machine_type,
                spot=args.spot,
                disk_gib=args.disk_gib,
                account=args.account,
                contract=args.contract,
                labels=args.tags.labels(),
            ),
            management=nodes.MANAGEMENT,
            upgrade_settings=container.NodePoolUpgradeSettingsArgs(max_surge=1, max_unavailable=0),
            opts=self.own(ignore_changes=["initialNodeCount"]),
        )
        self.done(pool=self.pool.name)
