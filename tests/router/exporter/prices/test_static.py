"""The dated table: on-demand prices with their age; unknown is unknown; for spot nodes it says what it is."""

from __future__ import annotations

from datetime import UTC, datetime

from llm_router.exporter.prices.static import TABLE, TablePrice, find


def test_the_table_knows_the_gpu_nodes_of_all_three_clouds_whatever_their_case() -> None:
    found = [
        find("aws", "g4dn.xlarge", "us-west-2"),
        find("gcp", "n1-standard-4+t4", "us-central1"),
        find("azure", "standard_nc4as_t4_v3", "eastus"),
    ]
    assert [None if row is None else row.usd_per_hour for row in found] == [0.526, 0.54, 0.526]


def test_every_row_of_the_table_is_a_price_and_stands_once() -> None:
    assert len({(row.cloud, row.instance_type, row.region) for row in TABLE}) == len(TABLE)
    assert all(0 < row.usd_per_hour < 100 for row in TABLE)


def test_what_the_table_does_not_know_is_unknown_and_never_zero() -> None:
    assert find("aws", "x9.huge", "us-west-2") is None
    assert find("gcp", "g4dn.xlarge", "us-west-2") is None


def test_a_row_has_the_age_of_the_day_on_which_it_was_read() -> None:
    row = TABLE[0]
    read = datetime(row.as_of.year, row.as_of.month, row.as_of.day, tzinfo=UTC).timestamp()
    quote = TablePrice(row, spot=False, unix_time=lambda: read + 86400).quote()
    assert (quote.usd_per_hour, quote.source, quote.age_s) == (row.usd_per_hour, "table", 86400)


def test_for_a_spot_node_it_says_that_its_price_is_not_that_of_spot() -> None:
    assert TablePrice(TABLE[0], spot=True, unix_time=lambda: 0.0).quote().source == "table_on_demand"
