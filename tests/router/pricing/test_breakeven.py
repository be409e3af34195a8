"""Where a pool and an API cost the same; published reference figures, and what must hold for any prices."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_router.config.schema import Capacity, Cluster, Scaling
from llm_router.model import ListPrice, Rate, Target
from llm_router.pricing.breakeven import (
    External,
    Pool,
    Traffic,
    breakeven,
    external_of,
    node_price_to_win,
    pool_of,
    replacements,
    saving,
)
from llm_router.pricing.breakeven_verdict import verdict
from llm_router.pricing.fixed_costs import Fixed, fixed_cost

CONVERSATION = Traffic(input_tokens=1147, output_tokens=211.3)
"""The mean request of the conversation trace that the reference figures are for."""
T4 = Capacity(slots=8, prefill_tokens_per_second=1200, decode_tokens_per_second=22)
NO_FIXED = Fixed(usd_per_hour=0.0, source="test")


def cluster(**changes: Any) -> Cluster:
    fields: dict[str, Any] = {"name": "gpu", "endpoint": "https://gpu", "cost_per_hour": 0.21, "capacity": T4}
    return Cluster(**fields | {"fixed_cost_per_hour": 0.0} | changes)


def api(usd_per_1m_in: float, usd_per_1m_out: float, name: str = "api", **fields: Any) -> Target:
    paid = Rate(usd_per_1m_in / 1000)
    price = ListPrice(input=paid, output=Rate(usd_per_1m_out / 1000), cache_read=paid, cache_write=paid, source="test")
    return Target(name=name, kind="provider", owner=name, model="m", list_price=price, **fields)


def pool(**changes: Any) -> Pool:
    fields: dict[str, Any] = {
        "name": "gpu",
        "node_usd_per_hour": 0.2,
        "fixed": NO_FIXED,
        "node_requests_per_hour": 1000,
    }
    return Pool(**fields | changes)


def external(usd: float | None, name: str = "api", **fields: Any) -> External:
    return External(target=name, model="m", request_usd=usd, **fields)


# ---------------------------------------------------------------- reference figures


@pytest.mark.parametrize(
    ("usd_in", "usd_out", "requests_per_hour"),
    [(0.05, 0.40, 1480), (0.10, 0.50, 953), (0.30, 2.50, 241), (0.75, 4.50, 116)],
)
def test_one_t4_breaks_even_where_an_independent_model_found_it(
    usd_in: float, usd_out: float, requests_per_hour: int
) -> None:
    """0.21 USD an hour, no fixed costs; nano-, haiku-, flash-lite- and mini-class list prices per 1M tokens."""
    rival = external_of(api(usd_in, usd_out), CONVERSATION)
    point = breakeven(pool_of(cluster(), CONVERSATION, usable=1.0), rival, CONVERSATION)
    assert point is not None
    assert round(point.requests_per_hour) == requests_per_hour


def test_one_t4_cannot_serve_what_it_takes_to_beat_the_cheapest_class() -> None:
    one = pool_of(cluster(), CONVERSATION)
    nano = external_of(api(0.05, 0.40), CONVERSATION)
    assert one.most_requests_per_hour(1) < 1480
    assert breakeven(one, nano, CONVERSATION) is None
    said = verdict(one, [nano], CONVERSATION)
    assert said.word == "off"
    assert "turn this pool off: even full" in said.text


def test_fixed_costs_are_what_people_forget() -> None:
    """With a control plane, a NAT gateway and a load balancer one T4 no longer beats the haiku class either."""
    haiku = external_of(api(0.10, 0.50), CONVERSATION)
    assert breakeven(pool_of(cluster(), CONVERSATION), haiku, CONVERSATION) is not None
    whole = pool_of(cluster(fixed_cost_per_hour=None, provider="aws"), CONVERSATION)
    assert breakeven(whole, haiku, CONVERSATION) is None
    many = pool_of(cluster(fixed_cost_per_hour=None, provider="aws", scaling=Scaling(max_nodes=4)), CONVERSATION)
    shared = breakeven(many, haiku, CONVERSATION)
    assert shared is not None
    assert shared.nodes > 1, "several nodes share what is fixed"


# ---------------------------------------------------------------- what must hold for any prices

usd = st.floats(1e-6, 10.0)
speeds = st.floats(1.0, 1e5)
node_counts = st.integers(1, 50)
pools = st.builds(
    Pool,
    name=st.just("gpu"),
    node_usd_per_hour=usd,
    request_usd=st.sampled_from([0.0, 1e-4]),
    fixed=st.builds(Fixed, usd_per_hour=st.sampled_from([0.0, 0.1725, 2.0]), source=st.just("test")),
    most_nodes=node_counts,
    node_requests_per_hour=st.none() | speeds,
    usable=st.floats(0.1, 1.0),
)


@given(pools, usd)
def test_at_the_point_both_cost_the_same_and_the_nodes_can_serve_it(some: Pool, request_usd: float) -> None:
    point = breakeven(some, external(request_usd), CONVERSATION)
    assume(point is not None)
    assert point is not None
    rent = some.usd_per_hour(point.nodes)
    assert rent is not None
    inside = rent + point.requests_per_hour * some.request_usd
    assert inside == pytest.approx(point.requests_per_hour * request_usd, rel=1e-6)
    assert point.requests_per_hour <= some.most_requests_per_hour(point.nodes)
    assert 1 <= point.nodes <= some.most_nodes
    assert point.utilisation is None or 0 <= point.utilisation <= some.usable * (1 + 1e-9)


@given(pools, usd)
def test_the_fewest_nodes_that_do(some: Pool, request_usd: float) -> None:
    def wins(nodes: int) -> bool:
        rent = some.usd_per_hour(nodes)
        gain = request_usd - some.request_usd
        return rent is not None and gain > 0 and rent / gain <= some.most_requests_per_hour(nodes)

    point = breakeven(some, external(request_usd), CONVERSATION)
    first = next((nodes for nodes in range(1, some.most_nodes + 1) if wins(nodes)), None)
    assert (None if point is None else point.nodes) == first


@given(pools, usd, st.floats(1.01, 10))
def test_dearer_nodes_never_break_even_earlier_and_dearer_apis_never_later(
    some: Pool, request_usd: float, factor: float
) -> None:
    dear_price = (some.node_usd_per_hour or 0) * factor
    dearer = Pool(**{name: getattr(some, name) for name in some.__struct_fields__} | {"node_usd_per_hour": dear_price})
    base = breakeven(some, external(request_usd), CONVERSATION)
    if base is None:
        assert breakeven(dearer, external(request_usd), CONVERSATION) is None
        return
    against_dear = breakeven(some, external(request_usd * factor), CONVERSATION)
    assert against_dear is not None
    assert against_dear.requests_per_hour <= base.requests_per_hour
    dear_pool = breakeven(dearer, external(request_usd), CONVERSATION)
    assert dear_pool is None or dear_pool.requests_per_hour >= base.requests_per_hour


@given(pools, usd, st.floats(0, 1e7))
def test_a_saving_is_the_best_of_all_numbers_of_nodes_and_never_nan(
    some: Pool, request_usd: float, requests_per_day: float
) -> None:
    found = saving(some, external(request_usd), requests_per_day)
    assert found is not None
    assert math.isfinite(found.usd_per_day)
    gain = request_usd - some.request_usd
    best = max(
        (min(requests_per_day / 24, some.most_requests_per_hour(n)) * gain - (some.usd_per_hour(n) or 0)) * 24
        for n in range(1, some.most_nodes + 1)
    )
    assert found.usd_per_day == pytest.approx(best, rel=1e-9, abs=1e-9)


@given(pools, usd)
def test_from_the_point_on_it_saves_and_below_it_does_not(some: Pool, request_usd: float) -> None:
    rival = external(request_usd)
    point = breakeven(some, rival, CONVERSATION)
    assume(point is not None)
    assert point is not None
    for share, wins in ((0.99, False), (1.01, True), (3.0, True)):
        at = saving(some, rival, point.requests_per_day * share)
        assert at is not None
        full = some.most_requests_per_hour(point.nodes) * 24
        if not wins or point.requests_per_day * 1.01 <= full:
            assert (at.usd_per_day > 0) is wins


@given(pools, usd)
def test_at_the_price_to_win_a_full_pool_just_wins(some: Pool, request_usd: float) -> None:
    price = node_price_to_win(some, external(request_usd))
    assume(price is not None)
    fields = {name: getattr(some, name) for name in some.__struct_fields__} | {"least_nodes": some.most_nodes}
    cheaper = Pool(**fields | {"node_usd_per_hour": (price or 0) * 0.999})
    dearer = Pool(**fields | {"node_usd_per_hour": (price or 0) * 1.001})
    assert breakeven(cheaper, external(request_usd), CONVERSATION) is not None
    assert breakeven(dearer, external(request_usd), CONVERSATION) is None


def test_a_million_nodes_take_no_longer_than_one() -> None:
    many = pool(most_nodes=10**9, fixed=Fixed(usd_per_hour=1e6, source="test"))
    assert breakeven(many, external(0.001), CONVERSATION) is not None
    assert saving(many, external(0.001), 1e12) is not None


# ---------------------------------------------------------------- what is compared with what


def test_an_unknown_price_has_no_break_even() -> None:
    assert breakeven(pool(), external(None), CONVERSATION) is None
    assert breakeven(pool(node_usd_per_hour=None), external(0.001), CONVERSATION) is None
    assert saving(pool(), external(None), 100) is None
    assert saving(pool(node_usd_per_hour=None), external(0.001), 100) is None


def test_a_free_api_is_never_beaten() -> None:
    assert breakeven(pool(), external(0.0), CONVERSATION) is None


def test_a_pool_of_unknown_speed_has_a_point_whose_load_is_unknown() -> None:
    point = breakeven(pool(node_requests_per_hour=None), external(0.001), CONVERSATION)
    assert point is not None
    assert point.requests_per_hour == pytest.approx(200)
    assert point.utilisation is None


def test_a_pool_that_is_priced_by_tokens_pays_no_rent() -> None:
    by_token = pool_of(cluster(cost_per_1k_tokens=0.0005, fixed_cost_per_hour=0.1), CONVERSATION)
    assert by_token.request_usd == pytest.approx(0.0005 * (1147 + 211.3) / 1000)
    assert breakeven(by_token, external(by_token.request_usd), CONVERSATION) is None
    point = breakeven(by_token, external(by_token.request_usd + 0.001), CONVERSATION)
    assert point is not None
    assert point.requests_per_hour == pytest.approx(100)


def test_a_pool_that_reads_at_an_unknown_speed_is_taken_to_read_slowly() -> None:
    unknown = pool_of(cluster(capacity=Capacity(slots=8, decode_tokens_per_second=22)), CONVERSATION)
    assert not unknown.reading_known
    assert unknown.node_requests_per_hour == pytest.approx(3600 * 176 / (1147 + 211.3))


def test_long_prompts_pay_the_tier_that_they_reach() -> None:
    tiered = Rate(0.0001, ((100_000, 0.0005),))
    price = ListPrice(input=tiered, output=tiered, cache_read=tiered, cache_write=tiered, source="test")
    target = Target(name="api", kind="provider", owner="api", model="m", list_price=price)
    long = external_of(target, Traffic(input_tokens=100_001, output_tokens=0))
    assert long.request_usd == pytest.approx(0.0005 * 100_001 / 1000)


def test_the_rival_is_the_cheapest_that_may_take_all_of_the_pools_requests() -> None:
    gdpr = frozenset({"gdpr"})
    cheap, dear = external(0.001, "cheap"), external(0.005, "dear", compliance=gdpr)
    assert replacements(pool(compliance=gdpr), [cheap, dear, external(None)]) == ([dear], frozenset())
    assert replacements(pool(compliance=gdpr), [cheap]) == ([cheap], gdpr)
    assert replacements(pool(), []) == ([], frozenset())


# ---------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("requests_per_day", "word", "said"),
    [(None, "from", "from 4,800 requests a day"), (1000, "off", "turn this pool off"), (10_000, "keep", "it saves")],
)
def test_the_verdict_depends_on_the_load(requests_per_day: float | None, word: str, said: str) -> None:
    traffic = Traffic(input_tokens=1, output_tokens=1, requests_per_day=requests_per_day)
    found = verdict(pool(), [external(0.001), external(0.01, "dear")], traffic)
    assert (found.word, found.against) == (word, "api")
    assert said in found.text


def test_a_verdict_says_for_which_requests_it_holds() -> None:
    found = verdict(pool(compliance=frozenset({"hipaa", "gdpr"})), [external(0.0001)], CONVERSATION)
    assert found.text.endswith("(for requests that need none of gdpr, hipaa)")


def test_what_cannot_be_compared_is_said() -> None:
    assert verdict(pool(), [external(None)], CONVERSATION).word == "alone"
    assert verdict(pool(node_usd_per_hour=None), [external(0.1)], CONVERSATION).word == "unknown"


def test_a_pool_that_cannot_win_says_at_which_price_it_would() -> None:
    found = verdict(pool(), [external(0.0001)], CONVERSATION)
    assert found.word == "off"
    assert "it would pay at 0.0750 USD per node-hour" in found.text


# ---------------------------------------------------------------- fixed costs


@pytest.mark.parametrize(("cloud", "usd"), [("aws", 0.1725), ("GCP", 0.1314), ("azure", 0.075)])
def test_clouds_have_fixed_costs_and_the_table_is_dated(cloud: str, usd: float) -> None:
    found = fixed_cost(cluster(provider=cloud, fixed_cost_per_hour=None))
    assert found.usd_per_hour == pytest.approx(usd)
    assert "2026-11-20" in found.source


def test_what_is_configured_counts_and_what_nobody_knows_is_marked() -> None:
    assert fixed_cost(cluster(provider="aws", fixed_cost_per_hour=0.0)).usd_per_hour == 0.0
    unknown = fixed_cost(cluster(provider="basement", fixed_cost_per_hour=None))
    assert (unknown.usd_per_hour, unknown.known) == (0.0, False)
