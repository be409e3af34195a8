"""Values of which the SDKs say only ``str``: the library's own tables, applied where a cloud would refuse."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

from llm_infra.tables import allowed, kubernetes_versions, machines, zones

_TAINTS = allowed.API_TAINT_EFFECTS

#: Type → path of a property (``[]`` is each element) → what it may be.
ALLOWED: dict[str, dict[str, Set[str]]] = {
    "aws:eks/cluster:Cluster": {
        "version": set(kubernetes_versions.STANDARD_SUPPORT_ENDS["aws"]),
        "accessConfig.authenticationMode": allowed.EKS_AUTHENTICATION_MODES,
        "upgradePolicy.supportType": allowed.EKS_SUPPORT_TYPES,
        "enabledClusterLogTypes[]": allowed.EKS_LOG_TYPES,
    },
    "aws:eks/nodeGroup:NodeGroup": {
        "version": set(kubernetes_versions.STANDARD_SUPPORT_ENDS["aws"]),
        "amiType": allowed.EKS_AMI_TYPES,
        "capacityType": allowed.EKS_CAPACITY_TYPES,
        "taints[].effect": _TAINTS,
        "instanceTypes[]": {*machines.CPU_MACHINES["aws"], *machines.GPU_MACHINES["aws"]},
    },
    "aws:ecr/repository:Repository": {"imageTagMutability": allowed.ECR_TAG_MUTABILITY},
    "gcp:container/cluster:Cluster": {
        "minMasterVersion": set(kubernetes_versions.STANDARD_SUPPORT_ENDS["gcp"]),
        "releaseChannel.channel": allowed.GKE_RELEASE_CHANNELS,
        "datapathProvider": allowed.GKE_DATAPATHS,
        "networkingMode": {"VPC_NATIVE"},
    },
    "gcp:container/nodePool:NodePool": {
        "autoscaling.locationPolicy": allowed.GKE_LOCATION_POLICIES,
        "nodeConfig.machineType": {*machines.CPU_MACHINES["gcp"], *machines.GPU_MACHINES["gcp"]},
        "nodeConfig.taints[].effect": _TAINTS,
        "nodeConfig.guestAccelerators[].type": allowed.GKE_ACCELERATORS,
        "nodeConfig.guestAccelerators[].gpuDriverInstallationConfig.gpuDriverVersion": allowed.GKE_GPU_DRIVERS,
        "nodeConfig.workloadMetadataConfig.mode": allowed.GKE_METADATA_MODES,
    },
    "azure-native:containerservice:ManagedCluster": {
        "kubernetesVersion": set(kubernetes_versions.STANDARD_SUPPORT_ENDS["azure"]),
    },
    "azure-native:containerservice:AgentPool": {
        "orchestratorVersion": set(kubernetes_versions.STANDARD_SUPPORT_ENDS["azure"]),
        "vmSize": {*machines.CPU_MACHINES["azure"], *machines.GPU_MACHINES["azure"]},
    },
}


def problems(token: str, inputs: dict[str, Any]) -> Iterator[str]:
    for path, choices in ALLOWED.get(token, {}).items():
        for value in at(inputs, path):
            if isinstance(value, str) and not _unknown(value) and value not in choices:
                yield f"{path}: expected one of {', '.join(sorted(choices))}, got {value!r}"
    if token == "gcp:container/nodePool:NodePool" and any(at(inputs, "nodeConfig.guestAccelerators[]")):
        for zone in at(inputs, "nodeLocations[]"):
            if not _unknown(zone) and zone not in zones.GCP_T4_ZONES:
                yield f"nodeLocations[]: {zone} has no nvidia-tesla-t4"


def at(value: Any, path: str) -> list[Any]:
    """All values at a path such as ``taints[].effect``; none where a part of it is missing."""
    found = [value]
    for step in path.split("."):
        name = step.removesuffix("[]")
        found = [item[name] for item in found if isinstance(item, dict) and item.get(name) is not None]
        if step.endswith("[]"):
            found = [item for many in found if isinstance(many, list) for item in many]
    return found


def _unknown(value: Any) -> bool:
    from .check import UNKNOWN

    return bool(value == UNKNOWN)
