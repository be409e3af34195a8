"""Machine types taken apart as Google bills them."""

from __future__ import annotations

import pytest

from llm_router.exporter.prices.gcp_machine import FAMILIES, GIBIBYTE_HOURS, HOURS, parts_of


def quantities(machine_type: str) -> list[tuple[float, str]]:
    return [(round(part.quantity, 9), part.unit) for part in parts_of(machine_type)]


@pytest.mark.parametrize(
    ("machine_type", "vcpus", "gib", "accelerators"),
    [
        ("n1-standard-4", 4, 15, 0),
        ("n1-standard-4+t4", 4, 15, 1),
        ("n1-standard-16+2xt4", 16, 60, 2),
        ("n1-highmem-8+nvidia-tesla-v100", 8, 52, 1),
        ("n1-highcpu-16", 16, 14.4, 0),
        ("e2-standard-4", 4, 16, 0),
        ("n2-highmem-2", 2, 16, 0),
        ("g2-standard-4", 4, 16, 1),
        ("g2-standard-24", 24, 96, 2),
        ("g2-standard-32", 32, 128, 1),
    ],
)
def test_a_machine_is_its_vcpus_memory_and_accelerators(
    machine_type: str, vcpus: int, gib: float, accelerators: int
) -> None:
    expected = [(vcpus, HOURS), (gib, GIBIBYTE_HOURS)] + ([(accelerators, HOURS)] if accelerators else [])
    assert quantities(machine_type) == expected


def test_spot_and_on_demand_are_billed_by_other_skus() -> None:
    core, ram, gpu = parts_of("n1-standard-4+t4")
    assert core.on_demand == "N1 Predefined Instance Core running in "
    assert ram.spot == "Spot Preemptible N1 Predefined Instance Ram running in "
    assert gpu.on_demand == "Nvidia Tesla T4 GPU running in "
    assert gpu.spot == "Nvidia Tesla T4 GPU attached to Spot Preemptible VMs running in "


@pytest.mark.parametrize("family", FAMILIES)
def test_no_description_of_one_family_begins_one_of_another(family: str) -> None:
    """SKUs are told apart by how their descriptions begin."""
    own = {part.on_demand for part in parts_of(f"{family}-standard-4")[:2]}
    others = {part.on_demand for name in FAMILIES if name != family for part in parts_of(f"{name}-standard-4")[:2]}
    assert not any(other.startswith(tuple(own)) for other in others)


@pytest.mark.parametrize(
    ("machine_type", "words"),
    [
        ("", "no machine type"),
        ("g4dn.xlarge", "no machine type"),
        ("n1-standard-0", "no machine type"),
        ("n1-mega-4", "known family"),
        ("z9-standard-4", "known family"),
        ("n1-custom-4-8192", "no machine type"),
        ("e2-medium", "no machine type"),
        ("n1-standard-4+h100", "no known accelerator"),
        ("n1-standard-4+t4+t4", "no machine type"),
        ("g2-standard-5", "have .* vCPUs"),
        ("g2-standard-4+l4", "their accelerators with them"),
    ],
)
def test_what_is_not_understood_is_refused_and_never_half_priced(machine_type: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parts_of(machine_type)
