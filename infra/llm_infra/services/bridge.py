"""The cluster Secret, by which Git learns what Pulumi made: the seam between the two, and it holds no secret.

ApplicationSets read it with the cluster generator: ``{{ .metadata.annotations.registry_url }}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from .. import contract, estimate
from ..settings.model import NodePool, Platform
from . import argocd


@dataclass(frozen=True, kw_only=True)
class CloudFacts:
    """What only the cloud's own half knows. ``identities``: role → how its service account names it in this cloud.

    ``secret_store``: where external-secrets finds the gate keys, in the cloud's own terms; ``extra``: further facts.
    """

    registry_url: pulumi.Input[str]
    identities: Mapping[str, pulumi.Input[str]]
    secret_store: pulumi.Input[str]
    extra: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)


def cluster_secret(name: str, platform: Platform, facts: CloudFacts, opts: pulumi.ResourceOptions) -> Secret:
    return Secret(
        f"{name}-cluster-secret",
        metadata=ObjectMetaArgs(
            name="in-cluster",
            namespace=contract.ARGOCD_NAMESPACE,
            labels={
                "argocd.argoproj.io/secret-type": "cluster",
                "cloud": platform.cloud,
                "environment": platform.environment,
                "gpu": "true" if platform.gpu else "false",
            },
            annotations=told(platform, facts),
        ),
        type="Opaque",
        string_data={
            "name": "in-cluster",
            "server": argocd.IN_CLUSTER,
            "config": json.dumps({"tlsClientConfig": {"insecure": False}}),
        },
        opts=opts,
    )


def told(platform: Platform, facts: CloudFacts) -> dict[str, pulumi.Input[str]]:
    """All as text, since annotations are; names with underscores, so that templates need no ``index``."""
    cloud = contract.CONTRACTS[platform.cloud]
    pools = {f"{pool.kind}_{name}": value for pool in platform.pools for name, value in _pool(platform, pool).items()}
    router = {"router_host": platform.router_host} if platform.router_host else {}
    identities = {f"identity_{role.replace('-', '_')}": value for role, value in facts.identities.items()}
    return {
        "cluster_name": platform.cluster,
        "region": platform.region,
        "domain": platform.domain,
        "registry_url": facts.registry_url,
        "repo_url": platform.gitops.repo_url,
        "repo_revision": platform.gitops.revision,
        "storage_class": cloud.storage_class,
        "gateway_class": cloud.gateway_class,
        "grace_seconds": str(cloud.grace_seconds),
        "device_plugin": "true" if cloud.needs_device_plugin and platform.gpu else "false",
        "gate_key_delivery": "external-secrets" if platform.external_secrets else "kubernetes",
        "secret_store": facts.secret_store,
        **pools,
        **router,
        **identities,
        **facts.extra,
    }


def _pool(platform: Platform, pool: NodePool) -> dict[str, str]:
    """What it serves and how, its keys in the cloud's store, what nodes are priced by, and how many there may be."""
    name = platform.pool_name(pool.kind)
    return {
        "host": platform.host(pool.kind),
        "model": pool.model.name,
        "context_length": str(pool.model.context_length),
        "slots": str(pool.capacity.slots),
        "gate_store_key": contract.gate_store_key(platform.cloud, platform.cluster, name),
        "instance_type": pool.machine_types[0],
        "capacity_type": "spot" if pool.spot else "onDemand",
        "usd_per_hour": str(estimate.node_price(platform, pool).usd_per_hour),
        "max_nodes": str(pool.max_nodes),
    }
