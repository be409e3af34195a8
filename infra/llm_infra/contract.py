"""What nodes and pods agree on, per cloud: the node pools are made from it, and the charts' values are too.

One place, because a label or taint that differs by one character leaves a pod pending for ever, or a pool at zero.
Sources: the vendors' pages on spot nodes, accelerators and workload identity, read November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from .clouds import Cloud

WORKLOAD_NAMESPACE = "llm"
ARGOCD_NAMESPACE = "argocd"
PLATFORM_NAMESPACE = "platform"
ROUTER_NAMESPACE = "llm-router"

#: Key of the label that says what a pool is for; the value is ``cpu`` or ``gpu``.
POOL_LABEL = "llm-platform/pool"
GPU_RESOURCE = "nvidia.com/gpu"

#: The Secret of one pool's gate: two keys that are valid at a time, each with its id.
GATE_SECRET_ENTRIES = ("current-id", "current", "next-id", "next")


def gate_secret(pool: str) -> str:
    return f"{pool}-gate"


def gate_store_key(cloud: Cloud, cluster: str, pool: str) -> str:
    """What the pool's keys are called in the cloud's store; Azure's vault is the cluster's own."""
    before = {"aws": f"{cluster}/", "gcp": f"{cluster}-", "azure": ""}
    return f"{before[cloud]}{gate_secret(pool)}"


@dataclass(frozen=True, slots=True)
class Taint:
    """As Kubernetes writes it: the effect is ``NoSchedule``."""

    key: str
    value: str
    effect: str = "NoSchedule"

    @property
    def api_effect(self) -> str:
        """The effect as the interfaces of EKS and GKE spell it."""
        return {"NoSchedule": "NO_SCHEDULE", "PreferNoSchedule": "PREFER_NO_SCHEDULE", "NoExecute": "NO_EXECUTE"}[
            self.effect
        ]

    @property
    def text(self) -> str:
        """As AKS and the cluster autoscaler write it."""
        return f"{self.key}={self.value}:{self.effect}"

    @property
    def toleration(self) -> dict[str, str]:
        return {"key": self.key, "operator": "Equal", "value": self.value, "effect": self.effect}


GPU_TAINT = Taint("nvidia.com/gpu", "present")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolContract:
    """``labels`` are those that we set; ``cloud_labels`` the cloud sets by itself on every node of the pool."""

    labels: dict[str, str]
    taints: tuple[Taint, ...]
    cloud_labels: dict[str, str]

    @property
    def node_selector(self) -> dict[str, str]:
        return {POOL_LABEL: self.labels[POOL_LABEL]}

    @property
    def tolerations(self) -> list[dict[str, str]]:
        return [taint.toleration for taint in self.taints]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudContract:
    """``grace_seconds``: how long a pod may take to end on a spot node before the node is gone.

    ``gpu_labels`` we set, ``gpu_cloud_labels`` and ``spot_labels`` the cloud sets, as it does ``spot_taints``.
    ``identity_annotation`` on a ServiceAccount ties it to a cloud identity; empty where nothing is needed (EKS Pod
    Identity knows the account by its name). ``needs_device_plugin``: the nodes have NVIDIA's driver, not its plugin.
    """

    gpu_labels: dict[str, str]
    gpu_cloud_labels: dict[str, str]
    spot_labels: dict[str, str]
    spot_taints: tuple[Taint, ...]
    storage_class: str
    gateway_class: str
    grace_seconds: int
    identity_annotation: str
    identity_pod_label: dict[str, str]
    needs_device_plugin: bool
    needs_cluster_autoscaler: bool

    def cpu(self, *, spot: bool) -> PoolContract:
        return PoolContract(
            labels={POOL_LABEL: "cpu"},
            taints=self.spot_taints if spot else (),
            cloud_labels=self.spot_labels if spot else {},
        )

    @property
    def gpu(self) -> PoolContract:
        """GPU pools are spot pools, always."""
        return PoolContract(
            labels={POOL_LABEL: "gpu", **self.gpu_labels},
            taints=(*self.spot_taints, GPU_TAINT),
            cloud_labels={**self.spot_labels, **self.gpu_cloud_labels},
        )


CONTRACTS: dict[Cloud, CloudContract] = {
    "aws": CloudContract(
        # The autoscaler knows by this label that a node without a GPU resource yet is not a broken one.
        gpu_labels={"k8s.amazonaws.com/accelerator": "nvidia-tesla-t4"},
        gpu_cloud_labels={},
        spot_labels={"eks.amazonaws.com/capacityType": "SPOT"},
        spot_taints=(),
        storage_class="gp3",
        gateway_class="envoy",
        grace_seconds=110,  # of two minutes' notice
        identity_annotation="",
        identity_pod_label={},
        needs_device_plugin=True,
        needs_cluster_autoscaler=True,
    ),
    "gcp": CloudContract(
        gpu_labels={},
        gpu_cloud_labels={"cloud.google.com/gke-accelerator": "nvidia-tesla-t4"},
        spot_labels={"cloud.google.com/gke-spot": "true"},
        spot_taints=(),
        storage_class="standard-rwo",
        gateway_class="envoy",
        grace_seconds=25,  # of 30 s, half of which the node keeps for its own pods unless the pool says otherwise
        identity_annotation="iam.gke.io/gcp-service-account",
        identity_pod_label={},
        needs_device_plugin=False,
        needs_cluster_autoscaler=False,
    ),
    "azure": CloudContract(
        gpu_labels={},
        gpu_cloud_labels={"kubernetes.azure.com/accelerator": "nvidia"},
        spot_labels={"kubernetes.azure.com/scalesetpriority": "spot"},
        # Azure sets it by itself. Declared all the same, else every later run sees a difference.
        spot_taints=(Taint("kubernetes.azure.com/scalesetpriority", "spot"),),
        storage_class="managed-csi",
        gateway_class="envoy",
        grace_seconds=25,  # of about 30 s
        identity_annotation="azure.workload.identity/client-id",
        identity_pod_label={"azure.workload.identity/use": "true"},
        needs_device_plugin=True,
        needs_cluster_autoscaler=False,
    ),
}

#: Where no notice presses: long enough for an answer under way.
ON_DEMAND_GRACE_SECONDS = 110


def chart_values(cloud: Cloud, kind: Literal["cpu", "gpu"], *, spot: bool = False) -> dict[str, Any]:
    """What the chart of a model server has to say in order to land on the pool, and to leave it in time."""
    contract = CONTRACTS[cloud]
    pool = contract.gpu if kind == "gpu" else contract.cpu(spot=spot)
    hurried = spot or kind == "gpu"
    return {
        "nodeSelector": pool.node_selector,
        "tolerations": pool.tolerations,
        "resources": {"limits": {GPU_RESOURCE: 1} if kind == "gpu" else {}},
        "storageClass": contract.storage_class,
        "gatewayClass": contract.gateway_class,
        "terminationGracePeriodSeconds": contract.grace_seconds if hurried else ON_DEMAND_GRACE_SECONDS,
        "podLabels": contract.identity_pod_label,
    }
