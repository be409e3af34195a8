"""What a Compute Engine machine type is made of: Google bills vCPUs, memory and accelerators apart.

Written as the machine type, with what is attached to it: ``n1-standard-4+t4``, ``n1-standard-16+2xt4``,
``e2-standard-4``. The sizes are those of https://cloud.google.com/compute/docs/machine-resource, the names of the SKUs
those of the billing catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

HOURS, GIBIBYTE_HOURS = "h", "GiBy.h"


class Part(Struct, frozen=True):
    """So many units of what a SKU charges for. The descriptions go on with the place."""

    quantity: float
    unit: str
    on_demand: str
    spot: str


class Family(Struct, frozen=True):
    """``sku`` is its name in descriptions, ``gib_per_vcpu`` the memory by class of machine."""

    sku: str
    gib_per_vcpu: Mapping[str, float]


FAMILIES: Mapping[str, Family] = {
    "n1": Family("N1 Predefined", {"standard": 3.75, "highmem": 6.5, "highcpu": 0.9}),
    "n2": Family("N2", {"standard": 4, "highmem": 8, "highcpu": 1}),
    "n2d": Family("N2D AMD", {"standard": 4, "highmem": 8, "highcpu": 1}),
    "n4": Family("N4", {"standard": 4, "highmem": 8, "highcpu": 2}),
    "e2": Family("E2", {"standard": 4, "highmem": 8, "highcpu": 1}),
    "c3": Family("C3", {"standard": 4, "highmem": 8, "highcpu": 2}),
    "t2d": Family("T2D AMD", {"standard": 4}),
    "g2": Family("G2", {"standard": 4}),
}
ACCELERATORS: Mapping[str, str] = {
    "t4": "Nvidia Tesla T4",
    "p4": "Nvidia Tesla P4",
    "p100": "Nvidia Tesla P100",
    "v100": "Nvidia Tesla V100",
    "l4": "Nvidia L4",
}
_BUILT_IN = {"g2": {4: 1, 8: 1, 12: 1, 16: 1, 24: 2, 32: 1, 48: 4, 96: 8}}
"""L4s that come with the machine type, by vCPUs."""

_MACHINE = re.compile(r"([a-z0-9]+)-([a-z]+)-([1-9][0-9]{0,2})(?:\+(?:([1-8])x)?(?:nvidia-)?(?:tesla-)?([a-z0-9]+))?")


def parts_of(machine_type: str) -> tuple[Part, ...]:
    """Raises ``ValueError``, which says what is understood."""
    found = _MACHINE.fullmatch(machine_type)
    family = FAMILIES.get(found[1]) if found else None
    if found is None or family is None or found[2] not in family.gib_per_vcpu:
        known = ", ".join(FAMILIES)
        raise ValueError(
            f"{machine_type!r} is no machine type such as n1-standard-4+t4 of a known family ({known}): "
            "set price.usdPerHour, or use openCost"
        )
    vcpus = int(found[3])
    parts = [
        _instance_part(family.sku, "Core", vcpus, HOURS),
        _instance_part(family.sku, "Ram", vcpus * family.gib_per_vcpu[found[2]], GIBIBYTE_HOURS),
    ]
    return (*parts, *_accelerators(found[1], vcpus, int(found[4] or 1), found[5]))


def _accelerators(family: str, vcpus: int, count: int, attached: str | None) -> Iterator[Part]:
    if built_in := _BUILT_IN.get(family):
        if vcpus not in built_in or attached is not None:
            raise ValueError(f"{family} machines have {sorted(built_in)} vCPUs, and their accelerators with them")
        yield _accelerator_part("l4", built_in[vcpus])
    elif attached is not None:
        if attached not in ACCELERATORS:
            raise ValueError(f"{attached!r} is no known accelerator: there are {', '.join(ACCELERATORS)}")
        yield _accelerator_part(attached, count)


def _instance_part(sku: str, what: str, quantity: float, unit: str) -> Part:
    name = f"{sku} Instance {what} running in "
    return Part(quantity, unit, name, f"Spot Preemptible {name}")


def _accelerator_part(name: str, count: int) -> Part:
    sku = ACCELERATORS[name]
    return Part(count, HOURS, f"{sku} GPU running in ", f"{sku} GPU attached to Spot Preemptible VMs running in ")
