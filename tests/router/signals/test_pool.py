"""A pool's size and speed, reported or configured."""

from __future__ import annotations

import math
from typing import Any

import pytest

from llm_router.config.schema import Capacity, Cluster, Scaling
from llm_router.model import ClusterStatus, PoolView, TokensPerSecond
from llm_router.signals.pool import nodes_of, pool_of, prefill_of, slots_of

CLUSTER = Cluster(
    name="c",
    endpoint="http://127.0.0.1:1",
    capacity=Capacity(slots=4, prefill_tokens_per_second=100),
    scaling=Scaling(min_nodes=2, max_nodes=3),
)


def status(prefill: float | None = None, **fields: Any) -> ClusterStatus:
    return ClusterStatus(target="c", state="up", tokens_per_second=TokensPerSecond(prefill=prefill), **fields)


def test_before_anything_is_known_it_is_as_configured() -> None:
    assert pool_of(CLUSTER) == PoolView(nodes=2, slots=8, prefill_tokens_per_second=100)


def test_what_is_reported_counts() -> None:
    told = status(nodes=3, slots_total=24, prefill=900.0)
    assert (nodes_of(CLUSTER, told), slots_of(CLUSTER, told, 3), prefill_of(CLUSTER, told)) == (3, 24, 300.0)


@pytest.mark.parametrize("prefill", [None, 0.0, -1.0, math.nan, math.inf])
def test_what_is_no_measurement_does_not(prefill: float | None) -> None:
    told = status(nodes=1, slots_total=0, prefill=prefill)
    assert (slots_of(CLUSTER, told, 1), prefill_of(CLUSTER, told)) == (4, 100)


def test_where_nobody_says_the_slots_are_unknown() -> None:
    assert slots_of(Cluster(name="c", endpoint="http://127.0.0.1:1"), None, 1) is None
