"""Nodes as the stacks make them, made up by kwok: their labels and taints are the contract's."""

from __future__ import annotations

from typing import Any, Literal

from llm_infra.clouds import CLOUDS, Cloud
from llm_infra.contract import CONTRACTS, GPU_RESOURCE

MACHINES: dict[tuple[str, str], tuple[str, str, str]] = {
    ("aws", "cpu"): ("m6i.large", "2", "7Gi"),
    ("aws", "gpu"): ("g4dn.xlarge", "4", "15Gi"),
    ("gcp", "cpu"): ("e2-standard-4", "4", "13Gi"),
    ("gcp", "gpu"): ("n1-standard-4", "4", "12Gi"),
    ("azure", "cpu"): ("Standard_D4s_v5", "4", "13Gi"),
    ("azure", "gpu"): ("Standard_NC4as_T4_v3", "4", "25Gi"),
}
KINDS: tuple[Literal["cpu", "gpu"], ...] = ("cpu", "gpu")


def name_of(cloud: str, kind: str, number: int = 0) -> str:
    return f"{cloud}-{kind}-{number}"


def node(cloud: Cloud, kind: Literal["cpu", "gpu"], number: int = 0) -> dict[str, Any]:
    """All clouds share one control plane here, so each node says whose it is besides what the cloud would set."""
    contract = CONTRACTS[cloud]
    pool = contract.gpu if kind == "gpu" else contract.cpu(spot=False)
    machine, cpu, memory = MACHINES[cloud, kind]
    name = name_of(cloud, kind, number)
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": machine,
        "topology.kubernetes.io/zone": f"{cloud}-{'ab'[number % 2]}",
        "test/cloud": cloud,
        **pool.labels,
        **pool.cloud_labels,
    }
    room = {"cpu": cpu, "memory": memory, "pods": "58", "ephemeral-storage": "90Gi"}
    if kind == "gpu":
        room[GPU_RESOURCE] = "1"
    taints = [{"key": taint.key, "value": taint.value, "effect": taint.effect} for taint in pool.taints]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "spec": {"taints": taints},
        "status": {"allocatable": room, "capacity": room},
    }


def all_nodes() -> list[dict[str, Any]]:
    """Two CPU nodes and one GPU node for each cloud."""
    return [
        node(cloud, kind, number) for cloud in CLOUDS for kind in KINDS for number in range(2 if kind == "cpu" else 1)
    ]


def storage(cloud: Cloud) -> list[dict[str, Any]]:
    """The cloud's storage class, and volumes that are there already: nothing here makes new ones."""
    name = CONTRACTS[cloud].storage_class
    volumes = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{cloud}-{number}"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "50Gi"},
                "storageClassName": name,
                "hostPath": {"path": f"/tmp/{cloud}-{number}"},  # noqa: S108 - nobody mounts it
            },
        }
        for number in range(4)
    ]
    kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
    return [{**kind, "provisioner": "kubernetes.io/no-provisioner"}, *volumes]
