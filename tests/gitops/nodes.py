"""Nodes as the stacks make them, made up by kwok: their labels and taints are the contract's."""

from __future__ import annotations

from typing import Any, Literal

from llm_infra.clouds import CLOUDS, Cloud
from llm_infra.contract import CONTRACTS, GPU_RESOURCE
from tests.infra.nodes import Nodes

MACHINES: dict[tuple[str, str], tuple[str, str, str]] = {
    ("aws", "cpu"): ("m6i.large", "2", "7Gi"),
    ("aws", "gpu"): ("g4dn.xlarge", "4", "15Gi"),
    ("gcp", "cpu"): ("e2-standard-4", "4", "13Gi"),
    ("gcp", "gpu"): ("n1-standard-4", "4", "12Gi"),
    ("azure", "cpu"): ("Standard_D4s_v5", "4", "13Gi"),
    ("azure", "gpu"): ("Standard_NC4as_T4_v3", "4", "25Gi"),
}
#: CPUs and memory that a machine has for pods.
ROOM = {machine: (cpu, memory) for machine, cpu, memory in MACHINES.values()}
KINDS: tuple[Literal["cpu", "gpu"], ...] = ("cpu", "gpu")


def name_of(cloud: str, kind: str, number: int = 0) -> str:
    return f"{cloud}-{kind}-{number}"


def node(cloud: Cloud, kind: Literal["cpu", "gpu"], number: int = 0) -> dict[str, Any]:
    """By the contract."""
    contract = CONTRACTS[cloud]
    pool = contract.gpu if kind == "gpu" else contract.cpu(spot=False)
    labels = {**pool.labels, **pool.cloud_labels}
    taints = {(taint.key, taint.value, taint.effect) for taint in pool.taints}
    return of_pool(cloud, kind, {"machine": MACHINES[cloud, kind][0], "labels": labels, "taints": taints}, number)


def of_pool(cloud: Cloud, kind: Literal["cpu", "gpu"], pool: Nodes, number: int = 0) -> dict[str, Any]:
    """All clouds share one control plane here, so each node says whose it is besides what the cloud would set."""
    name = name_of(cloud, kind, number)
    cpu, memory = ROOM[pool["machine"]]
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": pool["machine"],
        "topology.kubernetes.io/zone": f"{cloud}-{'ab'[number % 2]}",
        "test/cloud": cloud,
        **pool["labels"],
    }
    room = {"cpu": cpu, "memory": memory, "pods": "58", "ephemeral-storage": "90Gi"}
    if kind == "gpu":
        room[GPU_RESOURCE] = "1"
    taints = [{"key": key, "value": value, "effect": effect} for key, value, effect in sorted(pool["taints"])]
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
    return [storage_class(cloud), *(volume(cloud, number) for number in range(4))]


def storage_class(cloud: Cloud) -> dict[str, Any]:
    kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass"}
    name = CONTRACTS[cloud].storage_class
    return {**kind, "metadata": {"name": name}, "provisioner": "kubernetes.io/no-provisioner"}


def volume(cloud: Cloud, number: int = 0, **spec: Any) -> dict[str, Any]:
    name = f"{cloud}-{number}"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "50Gi"},
            "storageClassName": CONTRACTS[cloud].storage_class,
            "hostPath": {"path": f"/tmp/no-such-volume/{name}"},  # noqa: S108 - nobody mounts it
            **spec,
        },
    }
