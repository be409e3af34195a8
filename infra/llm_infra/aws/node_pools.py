"""What both kinds of node pool share: the nodes' role and their launch template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, eks, iam

from ..component import Component
from ..tags import Tags
from . import policies

_NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly")


@dataclass(frozen=True, kw_only=True)
class AwsNodeRoleArgs:
    tags: Tags


class AwsNodeRole(Component):
    arn: pulumi.Output[str]
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: AwsNodeRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        role = iam.Role(
            name, assume_role_policy=policies.assumed_by("ec2.amazonaws.com"), tags=args.tags.all(), opts=self.own()
        )
        self.arn = role.arn
        self.ready = [
            iam.RolePolicyAttachment(
                f"{name}-{policy}",
                role=role.name,
                policy_arn=f"arn:aws:iam::aws:policy/{policy}",
                opts=self.own(),
            )
            for policy in _NODE_POLICIES
        ]
        self.done(arn=self.arn)


def launch_template(name: str, *, disk_gib: int, tags: Tags, opts: pulumi.ResourceOptions) -> ec2.LaunchTemplate:
    """Encrypted disk; pods cannot take the node's credentials, since its metadata answers are one hop long."""
    own = tags.all(Name=name)
    return ec2.LaunchTemplate(
        name,
        update_default_version=True,
        metadata_options=ec2.LaunchTemplateMetadataOptionsArgs(
            http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
        ),
        block_device_mappings=[
            ec2.LaunchTemplateBlockDeviceMappingArgs(
                device_name="/dev/xvda",
                ebs=ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                    volume_size=disk_gib, volume_type="gp3", encrypted="true", delete_on_termination="true"
                ),
            )
        ],
        tag_specifications=[
            ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=own) for kind in ("instance", "volume")
        ],
        tags=own,
        opts=opts,
    )


def autoscaling_group(node_group: eks.NodeGroup) -> pulumi.Output[str]:
    """Name of the group that EKS made for the node group."""

    def first(resources: Sequence[eks.outputs.NodeGroupResource]) -> str:
        (group,) = resources[0].autoscaling_groups or ()
        return str(group.name)

    return node_group.resources.apply(first)
