"""Node prices: explicit or from a dated table, each with its source and age; unknown is unknown."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime

import pytest

from llm_router.errors import ConfigError
from llm_router.exporter.config import NodePriceConfig
from llm_router.exporter.price import (
    TABLE,
    ExplicitPrice,
    FirstKnown,
    NodePrice,
    PriceSource,
    PriceUnknown,
    TablePrice,
    source_of,
)


def price(source: PriceSource) -> NodePrice:
    return asyncio.run(source.price())


def test_what_the_operator_wrote_is_used_as_it_stands() -> None:
    quoted = price(ExplicitPrice(0.378))
    assert (quoted.usd_per_hour, quoted.source, quoted.age_s(1e9)) == (0.378, "config", None)


def test_a_dated_price_has_an_age_that_is_never_negative() -> None:
    quoted = price(ExplicitPrice(0.378, date(2026, 1, 15)))
    day = datetime(2026, 1, 15, tzinfo=UTC).timestamp()
    assert quoted.age_s(day + 3600) == 3600
    assert quoted.age_s(day - 3600) == 0


def test_the_table_knows_the_gpu_nodes_of_all_three_clouds_whatever_their_case() -> None:
    assert price(TablePrice("aws", "g4dn.xlarge", "us-west-2")).usd_per_hour == 0.526
    assert price(TablePrice("gcp", "n1-standard-4+t4", "us-central1")).source == "table"
    assert price(TablePrice("azure", "standard_nc4as_t4_v3", "eastus")).as_of is not None


def test_every_row_of_the_table_is_a_price_and_stands_once() -> None:
    assert len({(row.cloud, row.instance_type, row.region) for row in TABLE}) == len(TABLE)
    assert all(0 < row.usd_per_hour < 100 for row in TABLE)


def test_what_the_table_does_not_know_is_unknown_and_never_zero() -> None:
    with pytest.raises(PriceUnknown, match=r"no x9\.huge of aws in us-west-2: set price\.usdPerHour"):
        price(TablePrice("aws", "x9.huge", "us-west-2"))


def test_the_first_source_that_knows_is_believed() -> None:
    unknown = TablePrice("aws", "x9.huge", "us-west-2")
    assert price(FirstKnown([unknown, ExplicitPrice(1.5), ExplicitPrice(2.5)])).usd_per_hour == 1.5
    with pytest.raises(PriceUnknown, match=r"x9\.huge.*; .*x9\.huge"):
        price(FirstKnown([unknown, unknown]))
    with pytest.raises(PriceUnknown, match="no price source"):
        price(FirstKnown([]))


def test_the_configuration_chooses_the_source() -> None:
    written = asyncio.run(source_of(NodePriceConfig(usd_per_hour=0.2, as_of="2026-02-03")))
    assert price(written).as_of == datetime(2026, 2, 3, tzinfo=UTC).timestamp()
    looked_up = NodePriceConfig(cloud="aws", instance_type="g4dn.xlarge", region="eu-west-1")
    assert price(asyncio.run(source_of(looked_up))).usd_per_hour == 0.587


def test_a_node_that_no_source_could_ever_price_is_refused_at_the_start() -> None:
    nowhere = NodePriceConfig(cloud="aws", instance_type="g4dn.xlarge", region="mars-1")
    with pytest.raises(ConfigError, match=r"^price: .*usdPerHour"):
        asyncio.run(source_of(nowhere))
