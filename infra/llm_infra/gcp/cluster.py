"""GKE's control plane. It is reached by a name that only IAM opens: no address list, no address of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import container, kms

from .. import kubeconfig
from ..component import Component
from ..tags import Tags
from . import network


@dataclass(frozen=True, kw_only=True)
class GcpClusterArgs:
    """``own_key``: production, whose secrets are encrypted with a key of ours and whose pods' logs are kept.

    ``location``: a zone (one control plane, Google's free credit covers it) or a region (three)."""

    cluster: str
    project: str
    project_number: str
    region: str
    location: str
    node_zones: Sequence[str]
    version: str
    network_id: pulumi.Input[str]
    subnetwork_id: pulumi.Input[str]
    private_nodes: bool
    protect: bool
    own_key: bool
    tags: Tags


class GcpCluster(Component):
    name: pulumi.Output[str]
    id: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    workload_pool: str

    def __init__(self, name: str, args: GcpClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        self.workload_pool = f"{args.project}.svc.id.goog"
        key = self._secrets_key(name) if args.own_key else None
        self.cluster = self._control_plane(name, key)
        self.name, self.id = self.cluster.name, self.cluster.id
        # Behind the id, which no preview knows: a preview knows the configuration, without the endpoint in it.
        endpoints: pulumi.Output[container.outputs.ClusterControlPlaneEndpointsConfig]
        endpoints = self.cluster.id.apply(lambda _: self.cluster.control_plane_endpoints_config)
        self.kubeconfig = endpoints.apply(lambda known: _kubeconfig(args.cluster, _dns_endpoint(known)))
        self.done(name=self.name, kubeconfig=self.kubeconfig)

    def _secrets_key(self, name: str) -> pulumi.Output[str]:
        """Production only: Google keeps a key ring for ever, which a stack that comes and goes would litter."""
        args = self._args
        ring = kms.KeyRing(name, location=args.region, opts=self.own())
        key = kms.CryptoKey(
            name, key_ring=ring.id, rotation_period="7776000s", labels=args.tags.labels(), opts=self.own()
        )
        agent = f"serviceAccount:service-{args.project_number}@container-engine-robot.iam.gserviceaccount.com"
        use = kms.CryptoKeyIAMMember(
            name,
            crypto_key_id=key.id,
            role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
            member=agent,
            opts=self.own(),
        )
        return pulumi.Output.all(key.id, use.id).apply(lambda known: str(known[0]))

    def _control_plane(self, name: str, key: pulumi.Output[str] | None) -> container.Cluster:
        args = self._args
        return container.Cluster(
            name,
            name=args.cluster,
            location=args.location,
            node_locations=list(args.node_zones) if args.location == args.region else None,
            min_master_version=args.version,
            release_channel=container.ClusterReleaseChannelArgs(channel="REGULAR"),
            network=args.network_id,
            subnetwork=args.subnetwork_id,
            networking_mode="VPC_NATIVE",
            ip_allocation_policy=container.ClusterIpAllocationPolicyArgs(
                cluster_secondary_range_name=network.PODS, services_secondary_range_name=network.SERVICES
            ),
            # Enforces network policies.
            datapath_provider="ADVANCED_DATAPATH",
            private_cluster_config=container.ClusterPrivateClusterConfigArgs(
                enable_private_nodes=args.private_nodes, enable_private_endpoint=False
            ),
            control_plane_endpoints_config=container.ClusterControlPlaneEndpointsConfigArgs(
                dns_endpoint_config=container.ClusterControlPlaneEndpointsConfigDnsEndpointConfigArgs(
                    allow_external_traffic=True
                ),
                ip_endpoints_config=container.ClusterControlPlaneEndpointsConfigIpEndpointsConfigArgs(enabled=False),
            ),
            workload_identity_config=container.ClusterWorkloadIdentityConfigArgs(workload_pool=self.workload_pool),
            database_encryption=None
            if key is None
            else container.ClusterDatabaseEncryptionArgs(state="ENCRYPTED", key_name=key),
            enable_shielded_nodes=True,
            cost_management_config=container.ClusterCostManagementConfigArgs(enabled=True),
            # The platform brings its own Prometheus.
            monitoring_config=container.ClusterMonitoringConfigArgs(
                enable_components=["SYSTEM_COMPONENTS"],
                managed_prometheus=container.ClusterMonitoringConfigManagedPrometheusArgs(enabled=False),
            ),
            logging_config=container.ClusterLoggingConfigArgs(
                enable_components=["SYSTEM_COMPONENTS", "WORKLOADS"] if args.own_key else ["SYSTEM_COMPONENTS"]
            ),
            # Pools of their own can be changed without the cluster.
            remove_default_node_pool=True,
            initial_node_count=1,
            resource_labels=args.tags.labels(),
            # Google's default is true, which no destroy gets past.
            deletion_protection=args.protect,
            opts=self.own(protect=args.protect),
        )


def _dns_endpoint(config: container.outputs.ClusterControlPlaneEndpointsConfig) -> str:
    endpoint = config.dns_endpoint_config
    if endpoint is None or not endpoint.endpoint:
        raise ValueError("the cluster has no DNS endpoint: see controlPlaneEndpointsConfig")
    return str(endpoint.endpoint)


def _kubeconfig(cluster: str, host: str) -> str:
    return kubeconfig.with_command(
        cluster=cluster,
        server=f"https://{host}",
        ca_base64=None,
        command="gke-gcloud-auth-plugin",
        args=[],
        install_hint="install it: gcloud components install gke-gcloud-auth-plugin",
    )
