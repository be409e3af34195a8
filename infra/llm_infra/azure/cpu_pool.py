"""The pool that always runs."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import containerservice

from ..component import Component
from ..contract import PoolContract
from ..tags import Tags


@dataclass(frozen=True, kw_only=True)
class AzureCpuPoolArgs:
    """``zones``: digits of availability zones; none leaves the choice to Azure."""

    resource_group: pulumi.Input[str]
    cluster_name: pulumi.Input[str]
    version: str
    subnet_id: pulumi.Input[str]
    zones: tuple[str, ...]
    vm_size: str
    min_nodes: int
    max_nodes: int
    spot: bool
    disk_gib: int
    contract: PoolContract
    tags: Tags


class AzureCpuPool(Component):
    def __init__(self, name: str, args: AzureCpuPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.pool = containerservice.AgentPool(
            name,
            agent_pool_name="cpu",
            resource_group_name=args.resource_group,
            resource_name_=args.cluster_name,
            # Not the cluster's by itself: nodes would stay at what they were made with.
            orchestrator_version=args.version,
            vnet_subnet_id=args.subnet_id,
            availability_zones=list(args.zones) or None,
            mode="User",
            type="VirtualMachineScaleSets",
            os_type="Linux",
            os_sku="Ubuntu",
            vm_size=args.vm_size,
            os_disk_size_gb=args.disk_gib,
            scale_set_priority="Spot" if args.spot else "Regular",
            scale_set_eviction_policy="Delete" if args.spot else None,
            spot_max_price=-1 if args.spot else None,
            enable_auto_scaling=True,
            # Needed where the autoscaler is switched on, and the autoscaler's from then on.
            count=args.min_nodes,
            min_count=args.min_nodes,
            max_count=args.max_nodes,
            node_labels=args.contract.labels,
            node_taints=[taint.text for taint in args.contract.taints],
            upgrade_settings=None if args.spot else containerservice.AgentPoolUpgradeSettingsArgs(max_surge="1"),
            tags=args.tags.all(),
            # A pool's name is fixed, so the old one goes before the new one comes.
            opts=self.own(ignore_changes=["count"], delete_before_replace=True),
        )
        self.done(pool=self.pool.name)
