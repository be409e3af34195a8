"""Spot nodes with a T4 each, none of them until a pod asks for one."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import containerservice

from ..component import Component
from ..contract import PoolContract
from ..tags import Tags


@dataclass(frozen=True, kw_only=True)
class AzureGpuPoolArgs:
    resource_group: pulumi.Input[str]
    cluster_name: pulumi.Input[str]
    version: str
    subnet_id: pulumi.Input[str]
    zones: tuple[str, ...]
    vm_size: str
    max_nodes: int
    disk_gib: int
    contract: PoolContract
    tags: Tags


class AzureGpuPool(Component):
    def __init__(self, name: str, args: AzureGpuPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.pool = containerservice.AgentPool(
            name,
            agent_pool_name="gpu",
            resource_group_name=args.resource_group,
            resource_name_=args.cluster_name,
            orchestrator_version=args.version,
            vnet_subnet_id=args.subnet_id,
            availability_zones=list(args.zones) or None,
            mode="User",
            type="VirtualMachineScaleSets",
            os_type="Linux",
            os_sku="Ubuntu",
            vm_size=args.vm_size,
            os_disk_size_gb=args.disk_gib,
            # The driver; its plugin is a DaemonSet of the platform. AKS' own GPU management cannot scale to zero.
            gpu_profile=containerservice.GPUProfileArgs(driver="Install"),
            scale_set_priority="Spot",
            # A deallocated node would go on using up the quota.
            scale_set_eviction_policy="Delete",
            spot_max_price=-1,  # up to the list price
            enable_auto_scaling=True,
            count=0,
            min_count=0,
            max_count=args.max_nodes,
            node_labels=args.contract.labels,
            node_taints=[taint.text for taint in args.contract.taints],
            tags=args.tags.all(),
            opts=self.own(ignore_changes=["count"], delete_before_replace=True),
        )
        self.done(pool=self.pool.name)
