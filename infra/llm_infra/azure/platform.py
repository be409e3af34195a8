"""All of an Azure stack, in the order in which it comes to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pulumi
from pulumi_azure_native import authorization, resources
from pulumi_kubernetes.provider import Provider

from .. import contract, stack
from ..component import Component
from ..gate_keys import GateKeys
from ..services.bridge import CloudFacts
from ..services.cluster_services import ClusterServices, ClusterServicesArgs
from ..settings.model import KINDS, Platform
from .budget import AzureBudget, AzureBudgetArgs
from .cluster import AzureCluster, AzureClusterArgs
from .cpu_pool import AzureCpuPool, AzureCpuPoolArgs
from .dns import AzureDns, AzureDnsArgs
from .gpu_pool import AzureGpuPool, AzureGpuPoolArgs
from .identity import AzureIdentity, AzureIdentityArgs
from .logs import AzureLogs, AzureLogsArgs
from .network import AzureNetwork, AzureNetworkArgs
from .registry import AzureRegistry, AzureRegistryArgs
from .secret_store import AzureSecretStore, AzureSecretStoreArgs


class AzurePlatform(Component):
    kubeconfig: pulumi.Output[str]
    registry_url: pulumi.Output[str]
    name_servers: dict[str, pulumi.Output[Sequence[str]]]
    keys: dict[str, GateKeys]

    def __init__(self, platform: Platform, opts: pulumi.ResourceOptions | None = None) -> None:
        name = self._id = platform.cluster
        super().__init__(name, opts)
        self._platform = platform
        client = stack.asked("azure", authorization.get_client_config)
        self._subscription, self._tenant, self._deployer = client.subscription_id, client.tenant_id, client.object_id
        self.group = resources.ResourceGroup(
            name, resource_group_name=name, tags=platform.tags.all(), opts=self.own(protect=platform.protected)
        )
        self._group_name = self.group.name
        network = AzureNetworkArgs(
            resource_group=self._group_name,
            cidr=platform.network.nodes,
            nat=platform.network.private_nodes,
            tags=platform.tags,
        )
        self.network = AzureNetwork(f"{name}-network", network, self.own())
        self.cluster = self._cluster()
        self.kubeconfig = self.cluster.kubeconfig
        pools = self._pools()
        registry = AzureRegistryArgs(
            resource_group=self._group_name,
            subscription_id=self._subscription,
            cluster=name,
            puller_object_id=self.cluster.kubelet_object_id,
            tags=platform.tags,
        )
        self.registry_url = AzureRegistry(f"{name}-images", registry, self.own()).url
        writer = self._identity("external-dns")
        self.name_servers = self._dns(writer)
        reader = self._identity("external-secrets")
        # A pool that goes leaves its keys in the vault: only who has a role in there could delete them, and then their
        # names would be taken for as long as deleted things are kept.
        in_vault = stack.gate_keys(platform, self, KINDS)
        self.keys = {name: in_vault[name] for name in (platform.pool_name(pool.kind) for pool in platform.pools)}
        vault_uri = self._secret_store(reader, in_vault)
        if platform.production:
            logs = AzureLogsArgs(
                resource_group=self._group_name, cluster_id=self.cluster.id, days=90, tags=platform.tags
            )
            AzureLogs(f"{name}-logs", logs, self.own())
        if platform.budget is not None:
            budget = AzureBudgetArgs(budget=platform.budget, scope=self.group.id, month=date.today())
            AzureBudget(f"{name}-budget", budget, self.own())
        self._services(pools, vault_uri, {"external-dns": writer.client_id, "external-secrets": reader.client_id})
        self.done(kubeconfig=self.kubeconfig, registry_url=self.registry_url, name_servers=self.name_servers)

    def _cluster(self) -> AzureCluster:
        platform = self._platform
        assert platform.network.pods is not None  # noqa: S101 - only AWS has none
        args = AzureClusterArgs(
            cluster=self._id,
            resource_group=self._group_name,
            subscription_id=self._subscription,
            tenant_id=self._tenant,
            admin_ids=platform.admins or (self._deployer,),
            version=platform.kubernetes_version,
            subnet_id=self.network.subnet_id,
            nat_address=self.network.nat_address,
            pods=platform.network.pods,
            services=platform.network.services,
            api_server_cidrs=platform.network.api_server_cidrs,
            protect=platform.protected,
            paid_control_plane=platform.production,
            own_key=platform.production,
            tags=platform.tags,
        )
        return AzureCluster(f"{self._id}-cluster", args, self.own(depends_on=[self.network]))

    def _pools(self) -> list[pulumi.Resource]:
        platform, name = self._platform, self._id
        contracts = contract.CONTRACTS["azure"]
        cpu = AzureCpuPool(
            f"{name}-cpu",
            AzureCpuPoolArgs(
                resource_group=self._group_name,
                cluster_name=self.cluster.name,
                version=platform.kubernetes_version,
                subnet_id=self.network.subnet_id,
                zones=platform.zones,
                vm_size=platform.cpu.machine_types[0],
                min_nodes=platform.cpu.min_nodes,
                max_nodes=platform.cpu.max_nodes,
                spot=platform.cpu.spot,
                disk_gib=platform.cpu.disk_gib,
                contract=contracts.cpu(spot=platform.cpu.spot),
                tags=platform.tags,
            ),
            self.own(),
        )
        if platform.gpu is None:
            return [cpu]
        gpu = AzureGpuPoolArgs(
            resource_group=self._group_name,
            cluster_name=self.cluster.name,
            version=platform.kubernetes_version,
            subnet_id=self.network.subnet_id,
            # Spot T4s are scarce enough without asking for a zone.
            zones=(),
            vm_size=platform.gpu.machine_types[0],
            max_nodes=platform.gpu.max_nodes,
            disk_gib=platform.gpu.disk_gib,
            contract=contracts.gpu,
            tags=platform.tags,
        )
        # AKS changes one pool at a time.
        return [cpu, AzureGpuPool(f"{name}-gpu", gpu, self.own(depends_on=[cpu]))]

    def _identity(self, account: str) -> AzureIdentity:
        args = AzureIdentityArgs(
            resource_group=self._group_name,
            issuer=self.cluster.oidc_issuer,
            namespace=contract.PLATFORM_NAMESPACE,
            service_account=account,
            tags=self._platform.tags,
        )
        return AzureIdentity(f"{self._id}-{account}", args, self.own())

    def _dns(self, writer: AzureIdentity) -> dict[str, pulumi.Output[Sequence[str]]]:
        args = AzureDnsArgs(
            resource_group=self._group_name,
            subscription_id=self._subscription,
            resource_group_id=self.group.id,
            hosts=self._platform.hosts,
            writer_principal_id=writer.principal_id,
            protect=self._platform.protected,
            tags=self._platform.tags,
        )
        return AzureDns(f"{self._id}-dns", args, self.own()).name_servers

    def _secret_store(self, reader: AzureIdentity, keys: Mapping[str, GateKeys]) -> pulumi.Output[str]:
        args = AzureSecretStoreArgs(
            cluster=self._id,
            resource_group=self._group_name,
            subscription_id=self._subscription,
            tenant_id=self._tenant,
            keys=keys,
            reader_principal_id=reader.principal_id,
            keep_deleted=self._platform.production,
            tags=self._platform.tags,
        )
        return AzureSecretStore(f"{self._id}-secrets", args, self.own()).vault_uri

    def _services(
        self,
        pools: Sequence[pulumi.Resource],
        vault_uri: pulumi.Output[str],
        identities: dict[str, pulumi.Output[str]],
    ) -> None:
        provider = Provider(
            f"{self._id}-kubernetes",
            kubeconfig=self.kubeconfig,
            cluster_identifier=self.cluster.id,
            enable_server_side_apply=True,
            opts=self.own(depends_on=[*self.cluster.access, *pools]),
        )
        facts = CloudFacts(
            registry_url=self.registry_url,
            identities=identities,
            secret_store=vault_uri,
            extra={
                "resource_group": self._group_name,
                "subscription_id": self._subscription,
                "tenant_id": self._tenant,
            },
        )
        args = ClusterServicesArgs(platform=self._platform, cluster=self.cluster.cluster, facts=facts, keys=self.keys)
        ClusterServices(f"{self._id}-services", args, self.own(providers=[provider], depends_on=[*pools]))
