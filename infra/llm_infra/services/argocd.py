"""Argo CD itself, by its chart, and the projects that say what may be synced from where to where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy, NetworkPolicySpecArgs

from .. import contract
from ..component import Component

#: Chart of 14 September 2026, with Argo CD 3.5.
CHART_VERSION = "10.9.0"
VALUES_FILE = Path(__file__).parents[3] / "argocd" / "bootstrap-values.yaml"
API_VERSION = "argoproj.io/v1alpha1"
IN_CLUSTER = "https://kubernetes.default.svc"

#: Project of the root application alone: who may write Applications into Argo CD's namespace is its administrator.
BOOTSTRAP_PROJECT = "bootstrap"
PLATFORM_PROJECT = "platform"
WORKLOAD_PROJECT = "workloads"

#: Charts that the platform is made of.
CHART_REPOSITORIES = (
    "https://charts.jetstack.io",
    "https://prometheus-community.github.io/helm-charts",
    "https://kedacore.github.io/charts",
    "https://charts.external-secrets.io",
    "https://kubernetes-sigs.github.io/external-dns",
    "https://kubernetes.github.io/autoscaler",
    "https://nvidia.github.io/k8s-device-plugin",
    "docker.io/envoyproxy",
    # Retired, and installed only by who says that he knows.
    "https://kubernetes.github.io/ingress-nginx",
)
_PLATFORM_CLUSTER_KINDS = (
    ("", "Namespace"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    # Of Envoy Gateway's chart, so that nobody installs older kinds over newer ones.
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("apiregistration.k8s.io", "APIService"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("gateway.networking.k8s.io", "GatewayClass"),
    ("networking.k8s.io", "IngressClass"),
    ("cert-manager.io", "ClusterIssuer"),
    ("external-secrets.io", "ClusterSecretStore"),
)


@dataclass(frozen=True, kw_only=True)
class ArgoCdArgs:
    repo_url: str
    cluster: pulumi.Resource


class ArgoCd(Component):
    closed: NetworkPolicy
    release: Release
    projects: list[CustomResource]

    def __init__(self, name: str, args: ArgoCdArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._cluster = args.cluster
        # The chart's own policies open what its parts need of each other. Were they missing, nothing would be open.
        self.closed = NetworkPolicy(
            f"{name}-closed",
            metadata=ObjectMetaArgs(name="closed", namespace=contract.ARGOCD_NAMESPACE),
            spec=NetworkPolicySpecArgs(pod_selector=LabelSelectorArgs(), policy_types=["Ingress"]),
            opts=self.own(deleted_with=args.cluster),
        )
        self.release = Release(
            name,
            name="argocd",
            chart="argo-cd",
            version=CHART_VERSION,
            repository_opts=RepositoryOptsArgs(repo="https://argoproj.github.io/argo-helm"),
            namespace=contract.ARGOCD_NAMESPACE,
            values=bootstrap_values(),
            atomic=True,
            timeout=600,
            opts=self.own(depends_on=[self.closed], deleted_with=args.cluster),
        )
        argocd = [contract.ARGOCD_NAMESPACE]
        platform = [contract.PLATFORM_NAMESPACE, "kube-system"]
        workloads = [contract.WORKLOAD_NAMESPACE, contract.ROUTER_NAMESPACE]
        ours, charts = [args.repo_url], list(CHART_REPOSITORIES)
        self.projects = [
            self._project(name, BOOTSTRAP_PROJECT, ours, argocd, ()),
            self._project(name, PLATFORM_PROJECT, [*ours, *charts], platform, _PLATFORM_CLUSTER_KINDS),
            self._project(name, WORKLOAD_PROJECT, ours, workloads, ()),
        ]
        self.done(chart_version=CHART_VERSION)

    def _project(
        self,
        name: str,
        project: str,
        sources: list[str],
        namespaces: list[str],
        cluster_kinds: Sequence[tuple[str, str]],
    ) -> CustomResource:
        return CustomResource(
            f"{name}-project-{project}",
            api_version=API_VERSION,
            kind="AppProject",
            metadata=ObjectMetaArgs(name=project, namespace=contract.ARGOCD_NAMESPACE),
            spec={
                "sourceRepos": sources,
                "destinations": [{"server": IN_CLUSTER, "namespace": namespace} for namespace in namespaces],
                "clusterResourceWhitelist": [{"group": group, "kind": kind} for group, kind in cluster_kinds],
                "namespaceResourceBlacklist": [
                    {"group": "", "kind": "ResourceQuota"},
                    {"group": "", "kind": "LimitRange"},
                ],
            },
            opts=self.own(depends_on=[self.release], deleted_with=self._cluster),
        )


def bootstrap_values() -> dict[str, Any]:
    """The file's values: the same ones that ``helm install --values`` would take."""
    values = yaml.safe_load(VALUES_FILE.read_text())
    assert isinstance(values, dict)  # noqa: S101 - a file of this repository, read by its tests
    return values
