from __future__ import annotations

import pytest

from llm_infra import estimate
from llm_infra.clouds import CLOUDS, Cloud
from llm_infra.tables import machines, prices
from tests.infra.settings.settings import loaded


def test_a_month_of_the_cheap_stack_is_the_sum_of_its_parts() -> None:
    found = estimate.monthly(loaded("aws").platform)
    by_name = {item.name: item for item in found.items}
    assert by_name["cpu nodes"].idle_usd == pytest.approx(2 * 0.096 * 730)
    assert by_name["cpu nodes"].full_usd == pytest.approx(4 * 0.096 * 730)
    assert by_name["gpu nodes"].idle_usd == 0, "scaled to zero"
    assert by_name["gpu nodes"].full_usd == pytest.approx(2 * 0.252 * 730)
    assert by_name["control plane"].idle_usd == pytest.approx(73)
    assert "NAT" not in by_name
    assert found.idle_usd == pytest.approx(sum(item.idle_usd for item in found.items))


def test_private_nodes_pay_for_nat_and_not_for_addresses() -> None:
    names = [item.name for item in estimate.monthly(loaded("aws", privateNodes=True).platform).items]
    assert "NAT" in names
    assert "public addresses of nodes" not in names


def test_azure_pays_for_its_system_node_and_in_prod_for_its_control_plane() -> None:
    for stack, control_plane in (("dev", 0.0), ("prod", 73.0)):
        found = {item.name: item for item in estimate.monthly(loaded("azure", stack).platform).items}
        assert found["system node"].idle_usd == pytest.approx(0.096 * 730)
        assert found["control plane"].idle_usd == pytest.approx(control_plane)


def test_a_configured_price_wins_and_says_so() -> None:
    platform = loaded("aws", gpuUsdPerHour="0.3").platform
    assert platform.gpu is not None
    price = estimate.node_price(platform, platform.gpu)
    assert (price.usd_per_hour, price.source) == (0.3, "configured")


def test_a_price_of_another_region_is_told_as_one() -> None:
    here = prices.from_table("aws", "g4dn.2xlarge", "eu-west-1", spot=True)
    assert here is not None
    assert here.source == "table, other region"
    assert prices.from_table("aws", "p5.48xlarge", "us-west-2", spot=True) is None


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_machine_of_the_tables_has_a_price_and_spot_is_the_lower_one(cloud: Cloud) -> None:
    for name in (*machines.CPU_MACHINES[cloud], *machines.GPU_MACHINES[cloud]):
        spot = prices.from_table(cloud, name, "nowhere", spot=True)
        on_demand = prices.from_table(cloud, name, "nowhere", spot=False)
        assert spot is not None
        assert on_demand is not None
        assert 0 < spot.usd_per_hour < on_demand.usd_per_hour


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_idle_is_never_more_than_full(cloud: Cloud, stack: str) -> None:
    output = estimate.monthly(loaded(cloud, stack).platform).as_output()
    assert 100 < output["idleUsdPerMonth"] < output["fullUsdPerMonth"]
    assert all(item["source"] for item in output["items"])
