"""Spot nodes with a T4 each, none of them until a pod asks for one. GKE installs the driver and its plugin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import container

from ..component import Component
from ..contract import PoolContract
from ..tags import Tags
from . import nodes

ACCELERATOR = "nvidia-tesla-t4"


@dataclass(frozen=True, kw_only=True)
class GcpGpuPoolArgs:
    """``node_zones``: zones with T4s; more of them find spot capacity more often."""

    cluster_id: pulumi.Input[str]
    location: str
    node_zones: Sequence[str]
    account: pulumi.Input[str]
    machine_type: str
    max_nodes: int
    disk_gib: int
    contract: PoolContract
    tags: Tags


class GcpGpuPool(Component):
    def __init__(self, name: str, args: GcpGpuPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        accelerator = container.NodePoolNodeConfigGuestAcceleratorArgs(
            type=ACCELERATOR,
            count=1,
            gpu_driver_installation_config=container.NodePoolNodeConfigGuestAcceleratorGpuDriverInstallationConfigArgs(
                gpu_driver_version="LATEST"
            ),
        )
        self.pool = container.NodePool(
            name,
            cluster=args.cluster_id,
            location=args.location,
            node_locations=list(args.node_zones),
            initial_node_count=0,
            autoscaling=container.NodePoolAutoscalingArgs(
                total_min_node_count=0, total_max_node_count=args.max_nodes, location_policy="ANY"
            ),
            node_config=nodes.node_config(
                machine_type=args.machine_type,
                spot=True,
                disk_gib=args.disk_gib,
                account=args.account,
                contract=args.contract,
                labels=args.tags.labels(),
                accelerator=accelerator,
            ),
            management=nodes.MANAGEMENT,
            upgrade_settings=container.NodePoolUpgradeSettingsArgs(max_surge=0, max_unavailable=1),
            opts=self.own(ignore_changes=["initialNodeCount"]),
        )
        self.done(pool=self.pool.name)
