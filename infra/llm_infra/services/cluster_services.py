"""All that Pulumi puts into a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.storage.v1 import StorageClass

from .. import contract
from ..component import Component
from ..gate_keys import GateKeys
from ..settings.model import Platform
from . import applications
from .argocd import ArgoCd, ArgoCdArgs
from .bridge import CloudFacts, cluster_secret
from .gate_secrets import GateSecrets, GateSecretsArgs
from .namespaces import Namespaces, NamespacesArgs

#: Argo CD takes down what it made, load balancers among it, before the root application is gone.
_CASCADE_TIMEOUT = pulumi.CustomTimeouts(delete="30m")


@dataclass(frozen=True, kw_only=True)
class ClusterServicesArgs:
    """``cluster``: the resource whose end is the end of everything in it. ``keys`` by the pool's name."""

    platform: Platform
    cluster: pulumi.Resource
    facts: CloudFacts
    keys: Mapping[str, GateKeys]


class ClusterServices(Component):
    """To be made with the cluster's Kubernetes provider in ``opts.providers``."""

    def __init__(self, name: str, args: ClusterServicesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        platform, cluster = args.platform, args.cluster
        namespaces = Namespaces(f"{name}-namespaces", NamespacesArgs(cluster=cluster), self.own())
        after = self.own(depends_on=[namespaces])
        if not platform.external_secrets:
            GateSecrets(f"{name}-gate-keys", GateSecretsArgs(keys=args.keys, cluster=cluster), after)
        if platform.cloud == "aws":
            self._storage_class(name, cluster)
        argocd = ArgoCd(f"{name}-argocd", ArgoCdArgs(repo_url=platform.gitops.repo_url, cluster=cluster), after)
        managed = self.own(depends_on=[argocd], deleted_with=cluster)
        bridge = cluster_secret(name, platform, args.facts, managed)
        if contract.CONTRACTS[platform.cloud].needs_cluster_autoscaler:
            applications.cluster_autoscaler(name, cluster=platform.cluster, region=platform.region, opts=managed)
        self.root = applications.root(
            name,
            platform.gitops,
            self.own(depends_on=[argocd, bridge], custom_timeouts=_CASCADE_TIMEOUT),
        )
        self.done(root_application="root")

    def _storage_class(self, name: str, cluster: pulumi.Resource) -> None:
        """EKS brings none for its own disks' current kind."""
        StorageClass(
            f"{name}-gp3",
            metadata=ObjectMetaArgs(
                name=contract.CONTRACTS["aws"].storage_class,
                annotations={"storageclass.kubernetes.io/is-default-class": "true"},
            ),
            provisioner="ebs.csi.aws.com",
            parameters={"type": "gp3", "encrypted": "true"},
            volume_binding_mode="WaitForFirstConsumer",
            allow_volume_expansion=True,
            reclaim_policy="Delete",
            opts=self.own(deleted_with=cluster),
        )
