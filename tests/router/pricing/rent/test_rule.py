"""A pool's terms: its rent, its stake, and the work of one request."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.config.schema import Capacity, Cluster, Scaling
from llm_router.pricing.rent import PoolTerms, terms_of

T4 = PoolTerms(
    node_usd_per_hour=0.36,
    cold_start_s=300,
    idle_timeout_s=600,
    slots=8,
    prefill_tokens_per_second=1200,
    decode_tokens_per_second=22,
    decode_tokens_per_second_single=30,
)


def test_the_stake_is_the_rent_of_cold_start_and_idle_tail() -> None:
    assert T4.usd_per_s == pytest.approx(0.0001)
    assert T4.stake_usd == pytest.approx(0.09)


def test_work_is_the_larger_of_the_share_of_steps_and_the_share_of_slots() -> None:
    # A step with n sequences takes a + b·n: 1/30 s alone, 1/22 s with eight.
    more = (1 / 22 - 1 / 30) / 7
    steps = 2400 / 1200 + 100 * ((1 / 30 - more) / 8 + more)
    slots = (2400 / 1200 + 100 / 22) / 8
    assert steps > slots
    assert T4.work_s(2400, 100, 0.75) == pytest.approx(steps / 0.75)


def test_without_a_figure_for_one_alone_a_step_takes_as_long_whoever_shares_it() -> None:
    terms = PoolTerms(node_usd_per_hour=1.0, slots=4, decode_tokens_per_second=8)
    assert terms.work_s(1000, 80, 1.0) == pytest.approx(80 / 8 / 4)


@pytest.mark.parametrize("usd", [None, 0.0, -1.0, math.nan, math.inf])
def test_a_price_that_is_none_costs_nothing_that_anybody_could_reckon_with(usd: float | None) -> None:
    assert PoolTerms(node_usd_per_hour=usd).stake_usd == 0.0


def test_the_terms_are_those_of_the_configuration() -> None:
    cluster = Cluster(
        name="c",
        endpoint="http://127.0.0.1:1",
        cost_per_hour=0.36,
        capacity=Capacity(
            slots=8, prefill_tokens_per_second=1200, decode_tokens_per_second=22, decode_tokens_per_second_single=30
        ),
        scaling=Scaling(min_nodes=0, max_nodes=1, cold_start=300, idle_timeout=600),  # type: ignore[arg-type]
    )
    assert terms_of(cluster) == T4


speed = st.none() | st.floats(1e-3, 1e6)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 256), speed, speed, speed)
def test_work_is_never_negative_nor_without_measure(
    prompt: int, answer: int, slots: int, prefill: float | None, full: float | None, single: float | None
) -> None:
    terms = PoolTerms(
        node_usd_per_hour=1.0,
        slots=slots,
        prefill_tokens_per_second=prefill,
        decode_tokens_per_second=full,
        decode_tokens_per_second_single=single,
    )
    work_s = terms.work_s(prompt, answer, 0.75)
    assert math.isfinite(work_s)
    assert work_s >= 0
