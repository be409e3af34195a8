"""Machine types that the pools may use. Prices are in ``prices``."""

from __future__ import annotations

from dataclasses import dataclass

from ..clouds import Cloud


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    cloud: Cloud
    name: str
    vcpus: int
    memory_gib: float
    gpus: int = 0


def _of(cloud: Cloud, gpus: int, sizes: dict[str, tuple[int, float]]) -> dict[str, Machine]:
    return {
        name: Machine(cloud=cloud, name=name, vcpus=vcpus, memory_gib=memory, gpus=gpus)
        for name, (vcpus, memory) in sizes.items()
    }


#: A T4 each. On Google Cloud it is attached to an N1 machine.
GPU_MACHINES: dict[Cloud, dict[str, Machine]] = {
    "aws": _of("aws", 1, {"g4dn.xlarge": (4, 16), "g4dn.2xlarge": (8, 32), "g4dn.4xlarge": (16, 64)}),
    "gcp": _of("gcp", 1, {"n1-standard-4": (4, 15), "n1-standard-8": (8, 30), "n1-highmem-4": (4, 26)}),
    "azure": _of("azure", 1, {"Standard_NC4as_T4_v3": (4, 28), "Standard_NC8as_T4_v3": (8, 56)}),
}

CPU_MACHINES: dict[Cloud, dict[str, Machine]] = {
    "aws": _of(
        "aws",
        0,
        {
            "t3.large": (2, 8),
            "t3.xlarge": (4, 16),
            "m6i.large": (2, 8),
            "m6i.xlarge": (4, 16),
            "m6a.xlarge": (4, 16),
            "c6i.xlarge": (4, 8),
            "c6i.2xlarge": (8, 16),
        },
    ),
    "gcp": _of(
        "gcp",
        0,
        {"e2-standard-2": (2, 8), "e2-standard-4": (4, 16), "n2-standard-4": (4, 16), "c3-standard-4": (4, 16)},
    ),
    "azure": _of(
        "azure",
        0,
        {
            "Standard_D2s_v5": (2, 8),
            "Standard_D4s_v5": (4, 16),
            "Standard_D4as_v5": (4, 16),
            "Standard_F4s_v2": (4, 8),
        },
    ),
}
