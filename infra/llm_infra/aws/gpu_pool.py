"""Spot nodes with a T4 each, none of them until a pod asks for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import autoscaling, eks

from ..component import Component
from ..contract import PoolContract
from ..tags import Tags
from .autoscaler_tags import discovery_tags, template_tags
from .node_pools import autoscaling_group, launch_template


@dataclass(frozen=True, kw_only=True)
class AwsGpuPoolArgs:
    """``machine_types``: more than one finds spot capacity more often."""

    cluster_name: pulumi.Input[str]
    cluster: str
    version: str
    node_role_arn: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    machine_types: Sequence[str]
    max_nodes: int
    disk_gib: int
    contract: PoolContract
    tags: Tags


class AwsGpuPool(Component):
    node_group: eks.NodeGroup

    def __init__(self, name: str, args: AwsGpuPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        template = launch_template(name, disk_gib=args.disk_gib, tags=args.tags, opts=self.own())
        self.node_group = eks.NodeGroup(
            name,
            cluster_name=args.cluster_name,
            version=args.version,
            node_role_arn=args.node_role_arn,
            subnet_ids=list(args.subnet_ids),
            # Has the driver; the device plugin is a DaemonSet of the platform.
            ami_type="AL2023_x86_64_NVIDIA",
            capacity_type="SPOT",
            instance_types=list(args.machine_types),
            launch_template=eks.NodeGroupLaunchTemplateArgs(id=template.id, version=template.latest_version.apply(str)),
            scaling_config=eks.NodeGroupScalingConfigArgs(min_size=0, desired_size=0, max_size=args.max_nodes),
            update_config=eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
            node_repair_config=eks.NodeGroupNodeRepairConfigArgs(enabled=True),
            labels=args.contract.labels,
            taints=[
                eks.NodeGroupTaintArgs(key=taint.key, value=taint.value, effect=taint.api_effect)
                for taint in args.contract.taints
            ],
            tags=args.tags.all(Name=name),
            opts=self.own(ignore_changes=["scalingConfig.desiredSize"]),
        )
        self._tag_group(name, args)
        self.done(node_group=self.node_group.node_group_name)

    def _tag_group(self, name: str, args: AwsGpuPoolArgs) -> None:
        group = autoscaling_group(self.node_group)
        tags = {**discovery_tags(args.cluster), **template_tags(args.contract, gpus=1, disk_gib=args.disk_gib)}
        for key, value in tags.items():
            autoscaling.Tag(
                f"{name}-{key}",
                autoscaling_group_name=group,
                tag=autoscaling.TagTagArgs(key=key, value=value, propagate_at_launch=False),
                opts=self.own(),
            )
