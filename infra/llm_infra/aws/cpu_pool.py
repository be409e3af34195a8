"""The pool that always runs: Argo CD, the platform and small models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import autoscaling, eks

from ..component import Component
from ..contract import PoolContract
from ..tags import Tags
from .autoscaler_tags import discovery_tags
from .node_pools import autoscaling_group, launch_template


@dataclass(frozen=True, kw_only=True)
class AwsCpuPoolArgs:
    cluster_name: pulumi.Input[str]
    cluster: str
    version: str
    node_role_arn: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    machine_types: Sequence[str]
    min_nodes: int
    max_nodes: int
    spot: bool
    disk_gib: int
    contract: PoolContract
    tags: Tags


class AwsCpuPool(Component):
    node_group: eks.NodeGroup

    def __init__(self, name: str, args: AwsCpuPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        template = launch_template(name, disk_gib=args.disk_gib, tags=args.tags, opts=self.own())
        # No name of its own: a change of the machine types replaces the group, and two cannot have one name.
        self.node_group = eks.NodeGroup(
            name,
            cluster_name=args.cluster_name,
            # Not the cluster's by itself: nodes would stay at what they were made with.
            version=args.version,
            node_role_arn=args.node_role_arn,
            subnet_ids=list(args.subnet_ids),
            ami_type="AL2023_x86_64_STANDARD",
            capacity_type="SPOT" if args.spot else "ON_DEMAND",
            instance_types=list(args.machine_types),
            launch_template=eks.NodeGroupLaunchTemplateArgs(id=template.id, version=template.latest_version.apply(str)),
            scaling_config=eks.NodeGroupScalingConfigArgs(
                min_size=args.min_nodes, desired_size=args.min_nodes, max_size=args.max_nodes
            ),
            update_config=eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
            node_repair_config=eks.NodeGroupNodeRepairConfigArgs(enabled=True),
            labels=args.contract.labels,
            tags=args.tags.all(Name=name),
            # The autoscaler owns the number of nodes.
            opts=self.own(ignore_changes=["scalingConfig.desiredSize"]),
        )
        group = autoscaling_group(self.node_group)
        for key, value in discovery_tags(args.cluster).items():
            autoscaling.Tag(
                f"{name}-{key}",
                autoscaling_group_name=group,
                tag=autoscaling.TagTagArgs(key=key, value=value, propagate_at_launch=False),
                opts=self.own(),
            )
        self.done(node_group=self.node_group.node_group_name)
