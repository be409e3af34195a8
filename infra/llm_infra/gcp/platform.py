"""All of a Google Cloud stack, in the order in which it comes to be."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi_gcp.organizations import get_project
from pulumi_kubernetes.provider import Provider

from .. import contract, stack
from ..component import Component
from ..gate_keys import GateKeys
from ..services.bridge import CloudFacts
from ..services.cluster_services import ClusterServices, ClusterServicesArgs
from ..settings.model import Platform
from ..tables import zones
from .apis import GcpApis
from .budget import GcpBudget, GcpBudgetArgs
from .cluster import GcpCluster, GcpClusterArgs
from .cpu_pool import GcpCpuPool, GcpCpuPoolArgs
from .dns import GcpDns, GcpDnsArgs
from .gpu_pool import GcpGpuPool, GcpGpuPoolArgs
from .identity import GcpIdentity, GcpIdentityArgs
from .network import GcpNetwork, GcpNetworkArgs
from .nodes import GcpNodeAccount, GcpNodeAccountArgs
from .registry import GcpRegistry, GcpRegistryArgs
from .secret_store import GcpSecretStore, GcpSecretStoreArgs


class GcpPlatform(Component):
    kubeconfig: pulumi.Output[str]
    registry_url: pulumi.Output[str]
    name_servers: dict[str, pulumi.Output[Sequence[str]]]
    keys: dict[str, GateKeys]

    def __init__(self, platform: Platform, project: str, opts: pulumi.ResourceOptions | None = None) -> None:
        name = self._id = platform.cluster
        super().__init__(name, opts)
        self._platform, self._project = platform, project
        about = stack.asked("gcp", lambda: get_project(project_id=project))
        self._number, self._billing_account = about.number, about.billing_account
        self._zones = platform.zones or zones.gcp_t4_zones_of(platform.region) or [f"{platform.region}-a"]
        # Production has three control planes, and nodes in every zone that is named.
        self._location = platform.region if platform.production else self._zones[0]
        self._apis = GcpApis(f"{name}-apis", self.own())
        self.network = self._network()
        self.cluster = self._cluster()
        self.kubeconfig = self.cluster.kubeconfig
        self.account = GcpNodeAccount(f"{name}-nodes", GcpNodeAccountArgs(project=project), self._after_apis())
        pools = self._pools()
        registry = GcpRegistryArgs(
            project=project, region=platform.region, cluster=name, reader=self.account.member, tags=platform.tags
        )
        self.registry_url = GcpRegistry(f"{name}-images", registry, self._after_apis()).url
        writer = self._identity("external-dns", contract.PLATFORM_NAMESPACE, "external-dns")
        dns = GcpDnsArgs(project=project, hosts=platform.hosts, writer=writer.member, tags=platform.tags)
        self.name_servers = GcpDns(f"{name}-dns", dns, self._after_apis()).name_servers
        reader = self._identity("external-secrets", contract.PLATFORM_NAMESPACE, "external-secrets")
        self.keys = stack.gate_keys(platform, self)
        self._secret_store(reader)
        self._budget()
        self._services(pools, {"external-dns": writer.email, "external-secrets": reader.email})
        self.done(kubeconfig=self.kubeconfig, registry_url=self.registry_url, name_servers=self.name_servers)

    def _after_apis(self) -> pulumi.ResourceOptions:
        return self.own(depends_on=[self._apis])

    def _network(self) -> GcpNetwork:
        network = self._platform.network
        assert network.pods is not None  # noqa: S101 - only AWS has none
        args = GcpNetworkArgs(
            region=self._platform.region,
            nodes=network.nodes,
            pods=network.pods,
            services=network.services,
            private_nodes=network.private_nodes,
        )
        return GcpNetwork(f"{self._id}-network", args, self._after_apis())

    def _cluster(self) -> GcpCluster:
        platform = self._platform
        args = GcpClusterArgs(
            cluster=self._id,
            project=self._project,
            project_number=self._number,
            region=platform.region,
            location=self._location,
            node_zones=self._zones,
            version=platform.kubernetes_version,
            network_id=self.network.network_id,
            subnetwork_id=self.network.subnetwork_id,
            private_nodes=platform.network.private_nodes,
            protect=platform.protected,
            own_key=platform.production,
            tags=platform.tags,
        )
        return GcpCluster(f"{self._id}-cluster", args, self.own(depends_on=[self._apis, *self.network.egress]))

    def _pools(self) -> list[pulumi.Resource]:
        """The CPU pool first: GKE taints a GPU pool by itself only beside another one."""
        platform, name = self._platform, self._id
        contracts = contract.CONTRACTS["gcp"]
        zones_of_nodes = self._zones if platform.production else self._zones[:1]
        cpu = GcpCpuPool(
            f"{name}-cpu",
            GcpCpuPoolArgs(
                cluster_id=self.cluster.id,
                location=self._location,
                node_zones=zones_of_nodes,
                account=self.account.email,
                machine_type=platform.cpu.machine_types[0],
                min_nodes=platform.cpu.min_nodes,
                max_nodes=platform.cpu.max_nodes,
                spot=platform.cpu.spot,
                disk_gib=platform.cpu.disk_gib,
                contract=contracts.cpu(spot=platform.cpu.spot),
                tags=platform.tags,
            ),
            self.own(depends_on=self.account.ready),
        )
        if platform.gpu is None:
            return [cpu]
        gpu = GcpGpuPoolArgs(
            cluster_id=self.cluster.id,
            location=self._location,
            node_zones=self._zones,
            account=self.account.email,
            machine_type=platform.gpu.machine_types[0],
            max_nodes=platform.gpu.max_nodes,
            disk_gib=platform.gpu.disk_gib,
            contract=contracts.gpu,
            tags=platform.tags,
        )
        return [cpu, GcpGpuPool(f"{name}-gpu", gpu, self.own(depends_on=[cpu]))]

    def _identity(self, what: str, namespace: str, account: str) -> GcpIdentity:
        # The cluster makes the pool of identities that the name refers to.
        pool = self.cluster.name.apply(lambda _: self.cluster.workload_pool)
        args = GcpIdentityArgs(workload_pool=pool, namespace=namespace, service_account=account)
        return GcpIdentity(f"{self._id}-{what}", args, self.own())

    def _secret_store(self, reader: GcpIdentity) -> None:
        args = GcpSecretStoreArgs(
            cluster=self._id,
            region=self._platform.region,
            keys=self.keys,
            reader=reader.member,
            tags=self._platform.tags,
        )
        GcpSecretStore(f"{self._id}-secrets", args, self._after_apis())

    def _budget(self) -> None:
        if self._platform.budget is not None:
            args = GcpBudgetArgs(
                budget=self._platform.budget,
                billing_account=self._billing_account,
                project_number=self._number,
                tags=self._platform.tags,
            )
            GcpBudget(f"{self._id}-budget", args, self._after_apis())

    def _services(self, pools: Sequence[pulumi.Resource], identities: dict[str, pulumi.Output[str]]) -> None:
        provider = Provider(
            f"{self._id}-kubernetes",
            kubeconfig=self.kubeconfig,
            cluster_identifier=self.cluster.id,
            enable_server_side_apply=True,
            opts=self.own(depends_on=[self.cluster, *pools]),
        )
        facts = CloudFacts(
            registry_url=self.registry_url,
            identities=identities,
            secret_store=self._project,
            extra={"project": self._project},
        )
        args = ClusterServicesArgs(platform=self._platform, cluster=self.cluster.cluster, facts=facts, keys=self.keys)
        ClusterServices(f"{self._id}-services", args, self.own(providers=[provider], depends_on=[*pools]))
