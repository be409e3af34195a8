"""AKS' control plane, with the small pool of its own that it cannot do without."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import yaml
from pulumi_azure_native import containerservice, managedidentity

from .. import estimate, kubeconfig
from ..component import Component
from ..tags import Tags
from . import locks, roles
from .secrets_key import AzureSecretsKey, AzureSecretsKeyArgs

#: Entra's application that every AKS cluster with Entra accounts is an instance of.
_AKS_SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
#: Stays as long as the cluster does: AKS has always one of its kind.
_SYSTEM_POOL = "system"


@dataclass(frozen=True, kw_only=True)
class AzureClusterArgs:
    """``admin_ids``: object ids in Entra. ``nat_address`` is that of the subnet's NAT gateway, None without one.

    ``own_key``: production, whose Secrets are encrypted with a key of ours."""

    cluster: str
    resource_group: pulumi.Input[str]
    subscription_id: str
    tenant_id: str
    admin_ids: tuple[str, ...]
    version: str
    subnet_id: pulumi.Input[str]
    nat_address: pulumi.Input[str] | None
    pods: IPv4Network
    services: IPv4Network
    api_server_cidrs: tuple[str, ...]
    protect: bool
    paid_control_plane: bool
    own_key: bool
    tags: Tags


class AzureCluster(Component):
    name: pulumi.Output[str]
    id: pulumi.Output[str]
    oidc_issuer: pulumi.Output[str]
    kubelet_object_id: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    #: Without these the program itself may not use the cluster.
    access: list[pulumi.Resource]

    def __init__(self, name: str, args: AzureClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        identity = managedidentity.UserAssignedIdentity(
            name, resource_group_name=args.resource_group, tags=args.tags.all(), opts=self.own()
        )
        joins = roles.give(
            f"{name}-network",
            role=roles.NETWORK_CONTRIBUTOR,
            principal_id=identity.principal_id,
            scope=args.subnet_id,
            subscription_id=args.subscription_id,
            opts=self.own(),
        )
        key = self._secrets_key(name, identity) if args.own_key else None
        self.cluster = self._control_plane(name, identity, [joins, *([key.permission] if key else [])], key)
        self.name, self.id = self.cluster.name, self.cluster.id
        if args.protect:
            # Of the cluster itself it would keep the other pools from being replaced.
            system = pulumi.Output.concat(self.cluster.id, "/agentPools/", _SYSTEM_POOL)
            locks.against_deletion(name, of=system, parent=self.cluster)
        self.oidc_issuer = self.cluster.oidc_issuer_profile.apply(
            lambda profile: str(profile.issuer_url) if profile else ""
        )
        self.kubelet_object_id = self.cluster.identity_profile.apply(
            lambda profiles: str(profiles["kubeletidentity"].object_id) if profiles else ""
        )
        self.access = [
            roles.give(
                f"{name}-admin-{i}",
                role=roles.AKS_RBAC_CLUSTER_ADMIN,
                principal_id=admin,
                principal_type=None,
                scope=self.cluster.id,
                subscription_id=args.subscription_id,
                opts=self.own(),
            )
            for i, admin in enumerate(args.admin_ids)
        ]
        given = containerservice.list_managed_cluster_user_credentials_output(
            resource_group_name=args.resource_group, resource_name=self.cluster.name
        )
        self.kubeconfig = given.kubeconfigs.apply(lambda configs: _kubeconfig(args.cluster, configs[0].value))
        self.done(name=self.name, kubeconfig=self.kubeconfig, oidc_issuer=self.oidc_issuer)

    def _secrets_key(self, name: str, identity: managedidentity.UserAssignedIdentity) -> AzureSecretsKey:
        args = AzureSecretsKeyArgs(
            cluster=self._args.cluster,
            resource_group=self._args.resource_group,
            subscription_id=self._args.subscription_id,
            tenant_id=self._args.tenant_id,
            user_principal_id=identity.principal_id,
            protect=self._args.protect,
            tags=self._args.tags,
        )
        return AzureSecretsKey(f"{name}-key", args, self.own())

    def _control_plane(
        self,
        name: str,
        identity: managedidentity.UserAssignedIdentity,
        permissions: list[pulumi.Resource],
        key: AzureSecretsKey | None,
    ) -> containerservice.ManagedCluster:
        args = self._args
        return containerservice.ManagedCluster(
            name,
            resource_name_=args.cluster,
            resource_group_name=args.resource_group,
            kubernetes_version=args.version,
            dns_prefix=args.cluster,
            # Free has no promise of availability.
            sku=containerservice.ManagedClusterSKUArgs(
                name="Base", tier="Standard" if args.paid_control_plane else "Free"
            ),
            identity=containerservice.ManagedClusterIdentityArgs(
                type=containerservice.ResourceIdentityType.USER_ASSIGNED, user_assigned_identities=[identity.id]
            ),
            agent_pool_profiles=[self._system_pool()],
            oidc_issuer_profile=containerservice.ManagedClusterOIDCIssuerProfileArgs(enabled=True),
            security_profile=containerservice.ManagedClusterSecurityProfileArgs(
                workload_identity=containerservice.ManagedClusterSecurityProfileWorkloadIdentityArgs(enabled=True),
                image_cleaner=containerservice.ManagedClusterSecurityProfileImageCleanerArgs(
                    enabled=True, interval_hours=168
                ),
                azure_key_vault_kms=None
                if key is None
                else containerservice.AzureKeyVaultKmsArgs(
                    enabled=True, key_id=key.key_id, key_vault_network_access="Public"
                ),
            ),
            network_profile=containerservice.ContainerServiceNetworkProfileArgs(
                network_plugin="azure",
                network_plugin_mode="overlay",
                network_dataplane="cilium",
                network_policy="cilium",
                load_balancer_sku="standard",
                outbound_type="loadBalancer" if args.nat_address is None else "userAssignedNATGateway",
                pod_cidr=str(args.pods),
                service_cidr=str(args.services),
                dns_service_ip=str(args.services[10]),
            ),
            api_server_access_profile=containerservice.ManagedClusterAPIServerAccessProfileArgs(
                authorized_ip_ranges=self._callers(),
                disable_run_command=True,
            ),
            aad_profile=containerservice.ManagedClusterAADProfileArgs(managed=True, enable_azure_rbac=True),
            # No certificate that is valid for ever: everybody comes with an account.
            disable_local_accounts=True,
            auto_upgrade_profile=containerservice.ManagedClusterAutoUpgradeProfileArgs(
                upgrade_channel="patch", node_os_upgrade_channel="NodeImage"
            ),
            tags=args.tags.all(),
            # A change of the inline pool touches all the others; a pool that is taken out stays.
            opts=self.own(ignore_changes=["agentPoolProfiles"], depends_on=permissions, protect=args.protect),
        )

    def _callers(self) -> list[pulumi.Input[str]]:
        """Who may reach the Kubernetes API. An empty list is everybody; a list that is not must name the nodes, too."""
        named: list[pulumi.Input[str]] = [cidr for cidr in self._args.api_server_cidrs if cidr != "0.0.0.0/0"]
        if named and self._args.nat_address is not None:
            named.append(pulumi.Output.concat(self._args.nat_address, "/32"))
        return named

    def _system_pool(self) -> containerservice.ManagedClusterAgentPoolProfileArgs:
        """Not a spot one: AKS refuses that."""
        return containerservice.ManagedClusterAgentPoolProfileArgs(
            name=_SYSTEM_POOL,
            mode="System",
            count=1,
            vm_size=estimate.AZURE_SYSTEM_MACHINE,
            type="VirtualMachineScaleSets",
            os_type="Linux",
            os_sku="Ubuntu",
            vnet_subnet_id=self._args.subnet_id,
            node_taints=["CriticalAddonsOnly=true:NoSchedule"],
            tags=self._args.tags.all(),
        )


def _kubeconfig(cluster: str, given_base64: str) -> str:
    """AKS' own with kubelogin in place of a browser: address and certificate are the same."""
    given = yaml.safe_load(base64.b64decode(given_base64))["clusters"][0]["cluster"]
    return kubeconfig.with_command(
        cluster=cluster,
        server=given["server"],
        ca_base64=given["certificate-authority-data"],
        command="kubelogin",
        args=["get-token", "--login", "azurecli", "--server-id", _AKS_SERVER_APPLICATION],
        install_hint="install kubelogin: az aks install-cli",
    )
