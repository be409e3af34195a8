"""EKS' control plane: its key, log, role, who may use it, and the add-ons that nodes need to become ready."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch, eks, iam, kms

from .. import kubeconfig
from ..component import Component
from ..tags import Tags
from . import policies

_ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
_LOGS = ["api", "audit", "authenticator"]
#: Nodes do not become ready without them; the others wait for nodes.
FIRST_ADDONS = ("vpc-cni", "kube-proxy", "eks-pod-identity-agent")


@dataclass(frozen=True, kw_only=True)
class AwsClusterArgs:
    """``admin_arns``: IAM users and roles. ``protect``: production, not deleted by accident."""

    cluster: str
    region: str
    version: str
    subnet_ids: Sequence[pulumi.Input[str]]
    service_cidr: str
    api_server_cidrs: Sequence[str]
    admin_arns: Sequence[pulumi.Input[str]]
    log_days: int
    protect: bool
    tags: Tags


class AwsCluster(Component):
    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    oidc_provider_arn: pulumi.Output[str]
    first_addons: list[eks.Addon]

    def __init__(self, name: str, args: AwsClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        key = kms.Key(
            f"{name}-secrets",
            description=f"Kubernetes secrets of {args.cluster}",
            enable_key_rotation=True,
            deletion_window_in_days=30 if args.protect else 7,
            tags=args.tags.all(),
            opts=self.own(),
        )
        # Made before the cluster, so that EKS does not make one that is kept, and paid for, for ever.
        log = cloudwatch.LogGroup(
            f"{name}-log",
            name=f"/aws/eks/{args.cluster}/cluster",
            retention_in_days=args.log_days,
            tags=args.tags.all(),
            opts=self.own(),
        )
        self.cluster = self._control_plane(name, self._role(name), key, log)
        self.name, self.arn = self.cluster.name, self.cluster.arn
        self.kubeconfig = pulumi.Output.all(
            self.cluster.name, self.cluster.endpoint, self.cluster.certificate_authority
        ).apply(lambda known: _kubeconfig(known[0], known[1], known[2]["data"], args.region))
        self._access(name)
        self.oidc_provider_arn = self._oidc(name).arn
        self.first_addons = [self._addon(name, addon) for addon in FIRST_ADDONS]
        self.done(name=self.name, arn=self.arn, kubeconfig=self.kubeconfig, oidc_provider_arn=self.oidc_provider_arn)

    def _role(self, name: str) -> list[pulumi.Resource]:
        self.role = iam.Role(
            f"{name}-control-plane",
            assume_role_policy=policies.assumed_by("eks.amazonaws.com"),
            tags=self._args.tags.all(),
            opts=self.own(),
        )
        attached = iam.RolePolicyAttachment(
            f"{name}-control-plane",
            role=self.role.name,
            policy_arn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy",
            opts=self.own(),
        )
        return [attached]

    def _control_plane(
        self, name: str, role_ready: list[pulumi.Resource], key: kms.Key, log: cloudwatch.LogGroup
    ) -> eks.Cluster:
        args = self._args
        return eks.Cluster(
            name,
            name=args.cluster,
            version=args.version,
            role_arn=self.role.arn,
            vpc_config=eks.ClusterVpcConfigArgs(
                subnet_ids=list(args.subnet_ids),
                endpoint_private_access=True,
                endpoint_public_access=True,
                public_access_cidrs=list(args.api_server_cidrs),
            ),
            kubernetes_network_config=eks.ClusterKubernetesNetworkConfigArgs(service_ipv4_cidr=args.service_cidr),
            access_config=eks.ClusterAccessConfigArgs(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=False
            ),
            # EXTENDED is the default, and six times the price once a version is old.
            upgrade_policy=eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
            bootstrap_self_managed_addons=False,
            enabled_cluster_log_types=_LOGS,
            encryption_config=eks.ClusterEncryptionConfigArgs(
                provider=eks.ClusterEncryptionConfigProviderArgs(key_arn=key.arn), resources=["secrets"]
            ),
            deletion_protection=args.protect,
            tags=args.tags.all(),
            opts=self.own(depends_on=[*role_ready, log], protect=args.protect),
        )

    def _access(self, name: str) -> None:
        for i, arn in enumerate(self._args.admin_arns):
            entry = eks.AccessEntry(
                f"{name}-admin-{i}",
                cluster_name=self.name,
                principal_arn=arn,
                type="STANDARD",
                tags=self._args.tags.all(),
                opts=self.own(),
            )
            self.admin = eks.AccessPolicyAssociation(
                f"{name}-admin-{i}",
                cluster_name=self.name,
                principal_arn=entry.principal_arn,
                policy_arn=_ADMIN,
                access_scope=eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
                opts=self.own(),
            )

    def _oidc(self, name: str) -> iam.OpenIdConnectProvider:
        """For whoever cannot use Pod Identity: workloads outside the cluster, accounts of other clusters."""
        issuer = self.cluster.identities.apply(_issuer)
        return iam.OpenIdConnectProvider(
            f"{name}-oidc",
            url=issuer,
            client_id_lists=["sts.amazonaws.com"],
            tags=self._args.tags.all(),
            opts=self.own(),
        )

    def _addon(self, name: str, addon: str) -> eks.Addon:
        settings = {"enableNetworkPolicy": "true"} if addon == "vpc-cni" else None
        return eks.Addon(
            f"{name}-{addon}",
            cluster_name=self.name,
            addon_name=addon,
            configuration_values=json.dumps(settings) if settings else None,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            tags=self._args.tags.all(),
            opts=self.own(),
        )


def _issuer(identities: Sequence[eks.outputs.ClusterIdentity]) -> str:
    (oidc,) = identities[0].oidcs or ()
    return str(oidc.issuer)


def _kubeconfig(cluster: str, endpoint: str, ca_base64: str, region: str) -> str:
    return kubeconfig.with_command(
        cluster=cluster,
        server=endpoint,
        ca_base64=ca_base64,
        command="aws",
        args=["--region", region, "eks", "get-token", "--cluster-name", cluster, "--output", "json"],
        install_hint="install the AWS command line: https://docs.aws.amazon.com/cli/",
    )
