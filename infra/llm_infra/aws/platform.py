"""All of an AWS stack, in the order in which it comes to be."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi_aws import GetAvailabilityZonesFilterArgs, eks, iam
from pulumi_aws.get_availability_zones import get_availability_zones
from pulumi_aws.get_caller_identity import get_caller_identity
from pulumi_kubernetes.provider import Provider

from .. import contract, stack
from ..component import Component
from ..gate_keys import GateKeys
from ..services.applications import AUTOSCALER_ACCOUNT
from ..services.bridge import CloudFacts
from ..services.cluster_services import ClusterServices, ClusterServicesArgs
from ..settings.model import Platform
from . import policies
from .budget import AwsBudget, AwsBudgetArgs
from .cluster import AwsCluster, AwsClusterArgs
from .cpu_pool import AwsCpuPool, AwsCpuPoolArgs
from .dns import AwsDns, AwsDnsArgs
from .gpu_pool import AwsGpuPool, AwsGpuPoolArgs
from .identity import AwsIdentity, AwsIdentityArgs
from .network import AwsNetwork, AwsNetworkArgs
from .node_pools import AwsNodeRole, AwsNodeRoleArgs
from .registry import AwsRegistry, AwsRegistryArgs
from .secret_store import AwsSecretStore, AwsSecretStoreArgs

IMAGES = ("llm-router", "llama-server")
ZONES = 2
#: Ids of zones in which EKS has no control plane, by its documentation: of us-east-1, us-west-1 and ca-central-1.
WITHOUT_EKS = ("use1-az3", "usw1-az2", "cac1-az3")
_EBS_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
_LATER_ADDONS = ("coredns", "metrics-server", "aws-ebs-csi-driver")


class AwsPlatform(Component):
    kubeconfig: pulumi.Output[str]
    registry_url: pulumi.Output[str]
    name_servers: dict[str, pulumi.Output[Sequence[str]]]
    keys: dict[str, GateKeys]

    def __init__(self, platform: Platform, opts: pulumi.ResourceOptions | None = None) -> None:
        name = self._id = platform.cluster
        super().__init__(name, opts)
        self._platform = platform
        self.network = self._network()
        self.cluster = self._cluster()
        self.kubeconfig = self.cluster.kubeconfig
        pools = self._pools()
        registry = AwsRegistryArgs(cluster=name, images=IMAGES, keep_images=platform.protected, tags=platform.tags)
        self.registry_url = AwsRegistry(f"{name}-images", registry, self.own()).url
        self.dns = AwsDns(f"{name}-dns", AwsDnsArgs(hosts=platform.hosts, tags=platform.tags), self.own())
        self.name_servers = self.dns.name_servers
        self.keys = stack.gate_keys(platform, self)
        store = AwsSecretStoreArgs(
            cluster=name, keys=self.keys, recovery_days=7 if platform.production else 0, tags=platform.tags
        )
        self.store = AwsSecretStore(f"{name}-secrets", store, self.own())
        addons = self._later_addons(pools)
        identities = self._identities()
        if platform.budget is not None:
            AwsBudget(f"{name}-budget", AwsBudgetArgs(budget=platform.budget, tags=platform.tags), self.own())
        self._services([*pools, *addons, *identities])
        self.done(kubeconfig=self.kubeconfig, registry_url=self.registry_url, name_servers=self.name_servers)

    def _network(self) -> AwsNetwork:
        platform = self._platform
        zones = _zones(platform.zones)
        args = AwsNetworkArgs(
            region=platform.region,
            cidr=platform.network.nodes,
            zones=zones,
            private_nodes=platform.network.private_nodes,
            nat_per_zone=platform.production,
            tags=platform.tags,
        )
        return AwsNetwork(f"{self._id}-network", args, self.own())

    def _cluster(self) -> AwsCluster:
        platform = self._platform
        args = AwsClusterArgs(
            cluster=self._id,
            region=platform.region,
            version=platform.kubernetes_version,
            subnet_ids=self.network.node_subnet_ids,
            service_cidr=str(platform.network.services),
            api_server_cidrs=platform.network.api_server_cidrs,
            admin_arns=platform.admins or [stack.asked("aws", _deployer)],
            log_days=90 if platform.production else 7,
            protect=platform.protected,
            tags=platform.tags,
        )
        return AwsCluster(f"{self._id}-cluster", args, self.own(depends_on=self.network.egress))

    def _pools(self) -> list[pulumi.Resource]:
        """The CPU pool first: EKS' own pods need a node that does not come and go."""
        platform, name = self._platform, self._id
        role = AwsNodeRole(f"{name}-nodes", AwsNodeRoleArgs(tags=platform.tags), self.own())
        contracts = contract.CONTRACTS["aws"]
        cpu = AwsCpuPool(
            f"{name}-cpu",
            AwsCpuPoolArgs(
                cluster_name=self.cluster.name,
                cluster=name,
                version=platform.kubernetes_version,
                node_role_arn=role.arn,
                subnet_ids=self.network.node_subnet_ids,
                machine_types=platform.cpu.machine_types,
                min_nodes=platform.cpu.min_nodes,
                max_nodes=platform.cpu.max_nodes,
                spot=platform.cpu.spot,
                disk_gib=platform.cpu.disk_gib,
                contract=contracts.cpu(spot=platform.cpu.spot),
                tags=platform.tags,
            ),
            self.own(depends_on=[*role.ready, *self.cluster.first_addons, *self.network.egress]),
        )
        if platform.gpu is None:
            return [cpu]
        gpu = AwsGpuPoolArgs(
            cluster_name=self.cluster.name,
            cluster=name,
            version=platform.kubernetes_version,
            node_role_arn=role.arn,
            subnet_ids=self.network.node_subnet_ids,
            machine_types=platform.gpu.machine_types,
            max_nodes=platform.gpu.max_nodes,
            disk_gib=platform.gpu.disk_gib,
            contract=contracts.gpu,
            tags=platform.tags,
        )
        return [cpu, AwsGpuPool(f"{name}-gpu", gpu, self.own(depends_on=[cpu]))]

    def _later_addons(self, pools: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        disks = self._identity("ebs-csi", "kube-system", "ebs-csi-controller-sa", managed_policy_arn=_EBS_POLICY)
        return [
            eks.Addon(
                f"{self._id}-{addon}",
                cluster_name=self.cluster.name,
                addon_name=addon,
                resolve_conflicts_on_create="OVERWRITE",
                resolve_conflicts_on_update="OVERWRITE",
                tags=self._platform.tags.all(),
                opts=self.own(depends_on=[*pools, disks]),
            )
            for addon in _LATER_ADDONS
        ]

    def _identities(self) -> list[pulumi.Resource]:
        zones = pulumi.Output.all(*self.dns.zone_arns).apply(policies.dns_records)
        secrets = pulumi.Output.all(*self.store.secret_arns).apply(policies.secrets_reader)
        platform = contract.PLATFORM_NAMESPACE
        return [
            self._identity("autoscaler", "kube-system", AUTOSCALER_ACCOUNT, policies.autoscaler(self._id)),
            self._identity("external-dns", platform, "external-dns", zones),
            self._identity("external-secrets", platform, "external-secrets", secrets),
            self._identity("exporter", contract.WORKLOAD_NAMESPACE, "exporter", policies.SPOT_PRICES),
        ]

    def _identity(
        self,
        what: str,
        namespace: str,
        account: str,
        policy: pulumi.Input[str] | None = None,
        managed_policy_arn: str | None = None,
    ) -> AwsIdentity:
        args = AwsIdentityArgs(
            cluster_name=self.cluster.name,
            namespace=namespace,
            service_account=account,
            policy=policy,
            managed_policy_arn=managed_policy_arn,
            tags=self._platform.tags,
        )
        return AwsIdentity(f"{self._id}-{what}", args, self.own())

    def _services(self, nodes_ready: Sequence[pulumi.Resource]) -> None:
        provider = Provider(
            f"{self._id}-kubernetes",
            kubeconfig=self.kubeconfig,
            # The same cluster whatever the kubeconfig says: never a reason to replace what is in it.
            cluster_identifier=self.cluster.arn,
            enable_server_side_apply=True,
            opts=self.own(depends_on=[self.cluster, *nodes_ready]),
        )
        facts = CloudFacts(
            registry_url=self.registry_url,
            identities={},
            secret_store=self._id,
            extra={"vpc_id": self.network.vpc_id},
        )
        args = ClusterServicesArgs(platform=self._platform, cluster=self.cluster.cluster, facts=facts, keys=self.keys)
        ClusterServices(f"{self._id}-services", args, self.own(providers=[provider], depends_on=[*nodes_ready]))


def _zones(chosen: tuple[str, ...]) -> tuple[str, ...]:
    """Those that the stack names, else the region's first ones."""
    offered = stack.asked("aws", _offered)
    missing = [zone for zone in chosen if zone not in offered]
    if missing:
        raise pulumi.RunError(
            f"zones: AWS has no {', '.join(missing)} for this account: choose from {', '.join(offered)}"
        )
    return chosen or tuple(offered[:ZONES])


def _offered() -> Sequence[str]:
    """Zones that a cluster can be in; Local Zones, which an account opts in to, are none."""
    whole = GetAvailabilityZonesFilterArgs(name="opt-in-status", values=["opt-in-not-required"])
    return get_availability_zones(state="available", filters=[whole], exclude_zone_ids=WITHOUT_EKS).names


def _deployer() -> str:
    """The role or user that runs the program; of an assumed role, the role."""
    arn = get_caller_identity().arn
    return iam.get_session_context(arn=arn).issuer_arn
