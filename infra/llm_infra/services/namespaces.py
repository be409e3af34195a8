"""The namespaces, each with the pod security that it can bear."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from .. import contract
from ..component import Component

#: The platform's DaemonSets (device plugin, node exporter) need the host.
POD_SECURITY = {
    contract.ARGOCD_NAMESPACE: "baseline",
    contract.PLATFORM_NAMESPACE: "privileged",
    contract.WORKLOAD_NAMESPACE: "restricted",
    contract.ROUTER_NAMESPACE: "restricted",
}


@dataclass(frozen=True, kw_only=True)
class NamespacesArgs:
    cluster: pulumi.Resource


class Namespaces(Component):
    all: dict[str, Namespace]

    def __init__(self, name: str, args: NamespacesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.all = {
            namespace: Namespace(
                f"{name}-{namespace}",
                metadata=ObjectMetaArgs(name=namespace, labels=_labels(level)),
                opts=self.own(deleted_with=args.cluster),
            )
            for namespace, level in POD_SECURITY.items()
        }
        self.done(names=list(self.all))


def _labels(level: str) -> dict[str, str]:
    strict = "baseline" if level == "privileged" else "restricted"
    return {
        "pod-security.kubernetes.io/enforce": level,
        "pod-security.kubernetes.io/audit": strict,
        "pod-security.kubernetes.io/warn": strict,
    }
