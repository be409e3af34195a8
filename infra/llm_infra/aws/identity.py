"""A Kubernetes service account that may do something in AWS, by Pod Identity: no key, no annotation."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import eks, iam

from ..component import Component
from ..tags import Tags
from . import policies


@dataclass(frozen=True, kw_only=True)
class AwsIdentityArgs:
    """Either ``policy`` (a document of ours) or ``managed_policy_arn`` (one of AWS')."""

    cluster_name: pulumi.Input[str]
    namespace: str
    service_account: str
    tags: Tags
    policy: pulumi.Input[str] | None = None
    managed_policy_arn: str | None = None


class AwsIdentity(Component):
    role_arn: pulumi.Output[str]

    def __init__(self, name: str, args: AwsIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        role = iam.Role(name, assume_role_policy=policies.ASSUMED_BY_PODS, tags=args.tags.all(), opts=self.own())
        self.role_arn = role.arn
        if args.policy is not None:
            iam.RolePolicy(name, role=role.name, policy=args.policy, opts=self.own())
        if args.managed_policy_arn is not None:
            iam.RolePolicyAttachment(name, role=role.name, policy_arn=args.managed_policy_arn, opts=self.own())
        eks.PodIdentityAssociation(
            name,
            cluster_name=args.cluster_name,
            namespace=args.namespace,
            service_account=args.service_account,
            role_arn=role.arn,
            tags=args.tags.all(),
            opts=self.own(),
        )
        self.done(role_arn=self.role_arn)
