"""Tags of an autoscaling group: what the cluster autoscaler knows of a pool that has no node to look at.

They belong on the group itself; tags of the EKS node group are not handed down to it.
Source: kubernetes/autoscaler, cluster-autoscaler/cloudprovider/aws/README.md.
"""

from __future__ import annotations

from ..contract import GPU_RESOURCE, PoolContract

_TEMPLATE = "k8s.io/cluster-autoscaler/node-template"


def discovery_tags(cluster: str) -> dict[str, str]:
    return {"k8s.io/cluster-autoscaler/enabled": "true", f"k8s.io/cluster-autoscaler/{cluster}": "owned"}


def template_tags(contract: PoolContract, *, gpus: int, disk_gib: int) -> dict[str, str]:
    """Labels, taints and resources of a node that does not exist yet."""
    labels = {f"{_TEMPLATE}/label/{key}": value for key, value in {**contract.labels, **contract.cloud_labels}.items()}
    taints = {f"{_TEMPLATE}/taint/{taint.key}": f"{taint.value}:{taint.effect}" for taint in contract.taints}
    resources = {
        f"{_TEMPLATE}/resources/{GPU_RESOURCE}": str(gpus),
        f"{_TEMPLATE}/resources/ephemeral-storage": f"{disk_gib}Gi",
    }
    return {**labels, **taints, **resources}
