"""Argo CD's Applications that Pulumi makes: the root, from which all others come, and the autoscaler."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from .. import contract
from ..settings.model import GitOps
from . import argocd

#: Deleting the Application deletes what it made: load balancers and volumes go before the cluster does.
CASCADE = "resources-finalizer.argocd.argoproj.io"
#: What is made of kinds that the platform has yet to bring is tried again.
SYNC_POLICY: dict[str, Any] = {
    "automated": {"prune": True, "selfHeal": True},
    "syncOptions": ["ServerSideApply=true", "SkipDryRunOnMissingResource=true"],
    "retry": {"limit": 10, "backoff": {"duration": "10s", "factor": 2, "maxDuration": "5m"}},
}
AUTOSCALER_CHART_VERSION = "9.52.1"
AUTOSCALER_ACCOUNT = "cluster-autoscaler"


def root(name: str, gitops: GitOps, opts: pulumi.ResourceOptions) -> CustomResource:
    """Deleted for real when the stack is destroyed, and waited for: see ``CASCADE``."""
    source = {"repoURL": gitops.repo_url, "targetRevision": gitops.revision, "path": gitops.path}
    spec = _spec(argocd.BOOTSTRAP_PROJECT, source, contract.ARGOCD_NAMESPACE)
    return _application(name, "root", spec, [CASCADE], opts)


def cluster_autoscaler(name: str, *, cluster: str, region: str, opts: pulumi.ResourceOptions) -> CustomResource:
    """Where the cloud brings none: without it a GPU pool at zero stays there."""
    values = {
        "cloudProvider": "aws",
        "awsRegion": region,
        "autoDiscovery": {"clusterName": cluster},
        "rbac": {"serviceAccount": {"name": AUTOSCALER_ACCOUNT}},
        "extraArgs": {"expander": "least-waste", "skip-nodes-with-system-pods": "false"},
    }
    source = {
        "repoURL": "https://kubernetes.github.io/autoscaler",
        "chart": "cluster-autoscaler",
        "targetRevision": AUTOSCALER_CHART_VERSION,
        "helm": {"releaseName": "cluster-autoscaler", "valuesObject": values},
    }
    spec = _spec(argocd.PLATFORM_PROJECT, source, "kube-system")
    return _application(name, "cluster-autoscaler", spec, [], opts)


def _spec(project: str, source: dict[str, Any], namespace: str) -> dict[str, Any]:
    return {
        "project": project,
        "source": source,
        "destination": {"server": argocd.IN_CLUSTER, "namespace": namespace},
        "syncPolicy": SYNC_POLICY,
    }


def _application(
    name: str, application: str, spec: dict[str, Any], finalizers: list[str], opts: pulumi.ResourceOptions
) -> CustomResource:
    return CustomResource(
        f"{name}-{application}",
        api_version=argocd.API_VERSION,
        kind="Application",
        metadata=ObjectMetaArgs(
            name=application, namespace=contract.ARGOCD_NAMESPACE, finalizers=finalizers if finalizers else None
        ),
        spec=spec,
        opts=opts,
    )
