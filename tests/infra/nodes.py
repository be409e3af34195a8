"""A stack's node pools as Kubernetes will see their nodes, read off what Pulumi registered; and where a pod fits."""

from __future__ import annotations

from typing import Any, Protocol

from llm_infra.clouds import Cloud
from tests.infra import programs

#: A pool as Kubernetes will see its nodes: labels (ours and the cloud's), taints, and how many of them there may be.
Nodes = dict[str, Any]


class Made(Protocol):
    """What a stack made, whether it was recorded or is in a pretended cloud."""

    def one(self, kind: str, name: str = "") -> Any:
        """The resource of that type, with its ``inputs``."""


def eks(made: Made, kind: str) -> Nodes:
    group = made.one("eks/nodeGroup:NodeGroup", kind).inputs
    effects = {"NO_SCHEDULE": "NoSchedule"}
    return {
        "machine": group["instanceTypes"][0],
        "spot": group["capacityType"] == "SPOT",
        "labels": {**group["labels"], "eks.amazonaws.com/capacityType": group["capacityType"]},
        "taints": {(t["key"], t["value"], effects[t["effect"]]) for t in group.get("taints", [])},
        "min": group["scalingConfig"]["minSize"],
        "start": group["scalingConfig"]["desiredSize"],
        "max": group["scalingConfig"]["maxSize"],
    }


def gke(made: Made, kind: str) -> Nodes:
    pool = made.one("container/nodePool:NodePool", kind).inputs
    config = pool["nodeConfig"]
    labels = dict(config["labels"])
    if config["spot"]:
        labels["cloud.google.com/gke-spot"] = "true"
    for accelerator in config.get("guestAccelerators", []):
        labels["cloud.google.com/gke-accelerator"] = accelerator["type"]
    return {
        "machine": config["machineType"],
        "spot": config["spot"],
        "labels": labels,
        "taints": {(t["key"], t["value"], "NoSchedule") for t in config.get("taints", [])},
        "min": pool["autoscaling"]["totalMinNodeCount"],
        "start": pool["initialNodeCount"],
        "max": pool["autoscaling"]["totalMaxNodeCount"],
    }


def aks(made: Made, kind: str) -> Nodes:
    pool = made.one(":AgentPool", kind).inputs
    spot = pool["scaleSetPriority"] == "Spot"
    labels = {**pool["nodeLabels"], **({"kubernetes.azure.com/scalesetpriority": "spot"} if spot else {})}
    if "gpuProfile" in pool:
        labels["kubernetes.azure.com/accelerator"] = "nvidia"
    taints = set()
    for text in pool["nodeTaints"]:
        pair, effect = text.rsplit(":", 1)
        taints.add((*pair.split("=", 1), effect))
    return {
        "machine": pool["vmSize"],
        "spot": spot,
        "labels": labels,
        "taints": taints,
        "min": pool["minCount"],
        "start": pool["count"],
        "max": pool["maxCount"],
    }


SEEN = {"aws": eks, "gcp": gke, "azure": aks}


def nodes(cloud: Cloud, kind: str, stack: str = "dev") -> Nodes:
    return SEEN[cloud](programs.as_shipped(cloud, stack), kind)


def schedules(pod: dict[str, Any], on: Nodes) -> bool:
    """Kubernetes' rule: every selector label is there, every taint is tolerated. ``pod``: its spec."""
    selected = all(on["labels"].get(key) == value for key, value in pod.get("nodeSelector", {}).items())
    tolerated = {(t["key"], t["value"], t["effect"]) for t in pod.get("tolerations", [])}
    return selected and on["taints"] <= tolerated
