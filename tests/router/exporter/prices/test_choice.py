"""Which sources a configuration asks for, and in which order they are believed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llm_router.config.scalars import Seconds, Secret
from llm_router.exporter.config import LivePriceConfig, NodePriceConfig, OpenCostConfig
from llm_router.exporter.prices.chain import Prices
from llm_router.exporter.prices.choice import prices_of
from llm_router.exporter.prices.live import LivePrice
from tests.router.edge import until
from tests.router.exporter.prices.conftest import Stage
from tests.router.exporter.prices.standins import NOW, AzureRetailApi

AZURE: dict[str, Any] = {"cloud": "azure", "instance_type": "Standard_NC4as_T4_v3", "region": "eastus"}
GCP: dict[str, Any] = {"cloud": "gcp", "instance_type": "n1-standard-4+t4", "region": "us-central1"}
AWS: dict[str, Any] = {"cloud": "aws", "instance_type": "g4dn.xlarge", "region": "us-west-2"}
KEY = LivePriceConfig(api_key=Secret("AIzaSyA-key-for-tests"))
OPENCOST = OpenCostConfig(metrics_url="http://opencost:9003/metrics")


def chain(**given: Any) -> Prices:
    return prices_of(NodePriceConfig(**given), clock=lambda: 0.0, unix_time=lambda: NOW)


def labels(prices: Prices) -> list[str]:
    """Of the live members, then that of what is known without asking."""
    live = [member for member in prices._members if isinstance(member, LivePrice)]

    async def close() -> None:
        for member in live:
            await member.aclose()

    asyncio.run(close())
    quote = prices.quote()
    return [member._source.label for member in live] + ([] if quote is None else [quote.source])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"usd_per_hour": 0.2, "as_of": "2026-02-03"}, ["config"]),
        (AZURE, ["table"]),
        (AZURE | {"capacity_type": "spot"}, ["table_on_demand"]),
        (AZURE | {"live": LivePriceConfig()}, ["azure_retail", "table"]),
        (AZURE | {"live": LivePriceConfig(), "open_cost": OPENCOST}, ["azure_retail", "opencost", "table"]),
        (AZURE | {"open_cost": OpenCostConfig(prometheus_url="http://prometheus")}, ["opencost", "table"]),
        (AZURE | {"region": "mars", "live": LivePriceConfig()}, ["azure_retail"]),
        (GCP | {"live": KEY}, ["gcp_billing", "table"]),
        (GCP | {"live": LivePriceConfig()}, ["gcp_billing", "table"]),
        (AWS | {"live": LivePriceConfig()}, ["aws_on_demand", "table"]),
        (AWS | {"live": LivePriceConfig(), "capacity_type": "spot"}, ["aws_spot", "table_on_demand"]),
    ],
)
def test_the_order_is_written_down_then_live_then_opencost_then_table(
    given: dict[str, Any], expected: list[str]
) -> None:
    assert labels(chain(**given)) == expected


def test_until_the_cloud_has_answered_the_table_does_and_then_the_cloud(stage: Stage) -> None:
    stage.standin = AzureRetailApi()
    prices = chain(**AZURE, capacity_type="spot", live=LivePriceConfig(url=stage.url))
    quote = prices.quote()
    assert quote is not None
    assert (quote.usd_per_hour, quote.source) == (0.526, "table_on_demand")

    async def live() -> bool:
        quote = prices.quote()
        return quote is not None and (quote.usd_per_hour, quote.source) == (0.0684, "azure_retail")

    async def scenario() -> None:
        async with prices.refreshing():
            await asyncio.wait_for(until(live), 60)

    asyncio.run(scenario())
    assert prices.fetches.counts == {("azure_retail", "accepted"): 1}


def test_the_table_judges_the_first_live_price(stage: Stage) -> None:
    rows = [{**row, "retailPrice": row["retailPrice"] * 1e3} for row in AzureRetailApi().rows]
    stage.standin = AzureRetailApi(rows=rows)
    prices = chain(**AZURE, live=LivePriceConfig(url=stage.url))

    async def refused() -> bool:
        return prices.fetches.counts == {("azure_retail", "refused"): 1}

    async def scenario() -> None:
        async with prices.refreshing():
            await asyncio.wait_for(until(refused), 60)

    asyncio.run(scenario())
    quote = prices.quote()
    assert quote is not None
    assert (quote.usd_per_hour, quote.source) == (0.526, "table")


@pytest.mark.parametrize(
    ("given", "refresh_s"),
    [
        (AWS | {"capacity_type": "spot", "live": LivePriceConfig()}, 300),
        (AWS | {"live": LivePriceConfig()}, 3600),
        (AZURE | {"capacity_type": "spot", "live": LivePriceConfig()}, 3600),
        (AZURE | {"live": LivePriceConfig(refresh=Seconds(60))}, 60),
    ],
)
def test_what_moves_all_day_is_asked_for_more_often(given: dict[str, Any], refresh_s: float) -> None:
    prices = chain(**given)
    live = next(member for member in prices._members if isinstance(member, LivePrice))
    assert live._refresh_s == refresh_s
    asyncio.run(live.aclose())
