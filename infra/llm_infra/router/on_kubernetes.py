"""The router's configuration and keys in the chosen cluster, and the Application by which Argo CD deploys its chart."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from .. import contract
from ..component import Component
from ..services import applications, argocd
from ..settings.model import GitOps
from .settings import image_parts

CONFIG_SECRET, KEYS_SECRET, ENVIRONMENT_SECRET = "llm-router-config", "llm-router-gate-keys", "llm-router-environment"
METRICS_SECRET = "llm-router-metrics"  # noqa: S105 - its name
CHART = "charts/router"


@dataclass(frozen=True, kw_only=True)
class RouterOnKubernetesArgs:
    """``config`` and ``keys`` are the two files' texts; ``environment``: what ``${…}`` in ``config`` stands for."""

    host: str
    image: str
    gitops: GitOps
    config: str
    keys: str
    gate_keys: pulumi.Input[Mapping[str, str]]
    environment: pulumi.Input[Mapping[str, str]]


class RouterOnKubernetes(Component):
    """To be made with the cluster's Kubernetes provider in ``opts.providers``."""

    def __init__(self, name: str, args: RouterOnKubernetesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        secrets = [
            self._secret(CONFIG_SECRET, {"router.yaml": args.config, "keys.yaml": args.keys}),
            self._secret(KEYS_SECRET, args.gate_keys),
            self._secret(ENVIRONMENT_SECRET, args.environment),
        ]
        values = {
            "host": args.host,
            "image": image_parts(args.image),
            "nodeSelector": {contract.POOL_LABEL: "cpu"},
            "route": {"enabled": True},
            # KEDA wakes a pool at zero by what the router's metrics say.
            "monitoring": {
                "token": {"secretName": METRICS_SECRET, "generate": True},
                "serviceMonitor": {"enabled": True},
                "alerts": {"enabled": True},
                "dashboard": {"enabled": True},
            },
            # Helm cannot look into the Secret: pods are replaced when this changes.
            "configChecksum": hashlib.sha256(f"{args.config}{args.keys}".encode()).hexdigest(),
            "existingSecrets": {"config": CONFIG_SECRET, "gateKeys": KEYS_SECRET, "environment": ENVIRONMENT_SECRET},
        }
        source = {
            "repoURL": args.gitops.repo_url,
            "targetRevision": args.gitops.revision,
            "path": CHART,
            "helm": {"releaseName": "llm-router", "valuesObject": values},
        }
        CustomResource(
            name,
            api_version=argocd.API_VERSION,
            kind="Application",
            metadata=ObjectMetaArgs(
                name="llm-router", namespace=contract.ARGOCD_NAMESPACE, finalizers=[applications.CASCADE]
            ),
            spec={
                "project": argocd.WORKLOAD_PROJECT,
                "source": source,
                "destination": {"server": argocd.IN_CLUSTER, "namespace": contract.ROUTER_NAMESPACE},
                "syncPolicy": applications.SYNC_POLICY,
            },
            opts=self.own(depends_on=secrets),
        )
        self.done(url=f"https://{args.host}")

    def _secret(self, name: str, data: pulumi.Input[Mapping[str, pulumi.Input[str]]]) -> Secret:
        return Secret(
            name,
            metadata=ObjectMetaArgs(name=name, namespace=contract.ROUTER_NAMESPACE),
            type="Opaque",
            string_data=data,
            opts=self.own(),
        )
