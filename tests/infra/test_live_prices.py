from __future__ import annotations

from typing import Any

import pytest

from llm_infra import stack
from llm_infra.azure.prices import lowest
from llm_infra.live import LiveError
from llm_infra.settings.model import NodePool, Platform
from llm_infra.tables.prices import NodePrice
from tests.infra import programs
from tests.infra.settings.settings import loaded

ITEMS = [
    {"skuName": "NC4as T4 v3", "productName": "Virtual Machines NCasT4_v3 Series", "retailPrice": 0.526},
    {"skuName": "NC4as T4 v3 Spot", "productName": "Virtual Machines NCasT4_v3 Series", "retailPrice": 0.0631},
    {"skuName": "NC4as T4 v3 Spot", "productName": "Virtual Machines NCasT4_v3 Series Windows", "retailPrice": 0.01},
    {"skuName": "NC4as T4 v3 Low Priority", "productName": "Virtual Machines NCasT4_v3 Series", "retailPrice": 0.02},
]


@pytest.mark.parametrize(("spot", "usd"), [(True, 0.063), (False, 0.53)])
def test_azure_is_asked_for_the_machine_in_the_region(spot: bool, usd: float) -> None:
    asked: list[dict[str, str]] = []

    def fetch(query: dict[str, str]) -> dict[str, Any]:
        asked.append(query)
        return {"Items": ITEMS}

    price = lowest("eastus", "Standard_NC4as_T4_v3", spot=spot, fetch=fetch)
    assert price is not None
    assert (price.usd_per_hour, price.source) == (usd, "azure retail prices")
    assert "armRegionName eq 'eastus' and armSkuName eq 'Standard_NC4as_T4_v3'" in asked[0]["$filter"]


def test_what_azure_does_not_list_has_no_price() -> None:
    assert lowest("eastus", "x", spot=True, fetch=lambda query: {"Items": []}) is None


def test_the_spot_price_of_aws_goes_into_fragment_and_estimate() -> None:
    outputs = programs.as_shipped("aws", "dev").stack_outputs
    costs = {cluster["name"]: cluster["costPerHour"] for cluster in outputs["routerFragment"]["clusters"]}
    assert costs == {"aws": 0.096, "aws-gpu": 0.25}, "on demand is the table's, spot is AWS'"
    (gpu,) = [item for item in outputs["monthlyEstimate"]["items"] if item["name"] == "gpu nodes"]
    assert gpu["source"].startswith("aws DescribeSpotPriceHistory, 20")


def never(platform: Platform, pool: NodePool) -> NodePrice | None:
    raise AssertionError("asked")


def test_who_says_what_a_node_costs_or_wants_the_table_asks_nobody() -> None:
    platform = loaded("aws", cpuUsdPerHour="0.1", gpuUsdPerHour="0.2").platform
    assert stack.with_live_prices(platform, never) == platform
    platform = loaded("aws", livePrices=False).platform
    assert stack.with_live_prices(platform, never) == platform


def test_a_cloud_that_does_not_answer_leaves_the_tables_price(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", told.append)

    def refusing(platform: Platform, pool: NodePool) -> NodePrice | None:
        raise LiveError("no permission")

    platform = loaded("aws").platform
    assert stack.with_live_prices(platform, refusing) == platform
    assert told[0].startswith("livePrices: no permission; going on with the table's price of m6i.large")
