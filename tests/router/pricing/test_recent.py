"""Quantile and line over the last samples: exact where exactness is defined, robust where samples lie."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.pricing.recent import Line, RecentLine, RecentQuantile

values = st.floats(-1e12, 1e12, allow_nan=False)
shares = st.sampled_from([0.1, 0.5, 0.7, 0.95, 1.0])


def quantile_of(samples: list[float], share: float, kept: int = 100) -> RecentQuantile:
    quantile = RecentQuantile(share, kept)
    for sample in samples:
        quantile.add(sample)
    return quantile


def exact(samples: list[float], share: float) -> float:
    """Nearest rank: the smallest sample that at least this share of the samples does not exceed."""
    return min(x for x in samples if sum(y <= x for y in samples) >= share * len(samples))


def line(pairs: list[tuple[float, float]], kept: int = 100) -> Line:
    recent = RecentLine(kept, slopes=(0.2, 10.0), offsets=(-64.0, 4096.0))
    for x, y in pairs:
        recent.add(x, y)
    return recent.fitted()


# ---------------------------------------------------------------- quantile


@given(st.lists(values, min_size=1, max_size=150), shares, st.integers(1, 60))
def test_is_the_exact_quantile_of_the_last_samples(samples: list[float], share: float, kept: int) -> None:
    quantile = quantile_of(samples, share, kept)
    assert quantile.value == exact(samples[-kept:], share)
    assert len(quantile) == min(len(samples), kept)


@given(st.lists(values, min_size=1, max_size=60), shares, st.data())
def test_larger_samples_never_give_a_smaller_quantile(samples: list[float], share: float, data: st.DataObject) -> None:
    grown = [x + data.draw(st.floats(0, 1e6)) for x in samples]
    before, after = quantile_of(samples, share).value, quantile_of(grown, share).value
    assert before is not None
    assert after is not None
    assert after >= before


@given(st.lists(values, min_size=1, max_size=60))
def test_a_larger_share_never_gives_a_smaller_quantile(samples: list[float]) -> None:
    found = [quantile_of(samples, share).value for share in (0.1, 0.5, 0.7, 0.95, 1.0)]
    assert found == sorted(value for value in found if value is not None)


@given(st.lists(st.floats(1, 1000), min_size=20, max_size=100), st.integers(1, 5))
def test_a_few_absurd_samples_move_it_by_as_many_ranks(samples: list[float], absurd: int) -> None:
    poisoned = quantile_of([*samples, *[1e12] * absurd], 0.7, 200).value
    assert poisoned is not None
    assert poisoned <= sorted(samples)[min(len(samples) - 1, math.ceil(0.7 * (len(samples) + absurd)) - 1)]


def test_no_samples_no_quantile() -> None:
    assert RecentQuantile(0.5, 10).value is None


@pytest.mark.parametrize("nonsense", [float("nan"), float("inf"), -float("inf")])
def test_what_has_no_place_in_an_order_is_refused(nonsense: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        RecentQuantile(0.5, 10).add(nonsense)
    with pytest.raises(ValueError, match="finite"):
        line([(1.0, nonsense)])


@pytest.mark.parametrize(("share", "kept"), [(0.0, 10), (1.1, 10), (float("nan"), 10), (0.5, 0)])
def test_an_impossible_quantile_is_refused(share: float, kept: int) -> None:
    with pytest.raises(ValueError, match="share"):
        RecentQuantile(share, kept)


# ---------------------------------------------------------------- line


@given(st.floats(0.3, 9), st.floats(0, 200), st.lists(st.floats(1, 5000), min_size=9, max_size=90, unique=True))
def test_finds_the_line_that_samples_lie_on(each: float, more: float, xs: list[float]) -> None:
    found = line([(x, more + each * x) for x in xs])
    ordered = sorted(xs)
    third = len(xs) // 3
    if ordered[-third:][third // 2] >= 4 * ordered[:third][third // 2]:  # far enough apart for two parameters
        assert found.each == pytest.approx(each, rel=1e-6)
        assert found.more == pytest.approx(more, rel=1e-6, abs=1e-3)


@given(st.lists(st.integers(10, 4000), min_size=30, max_size=90), st.integers(1, 4))
def test_a_few_absurd_pairs_do_not_move_it_far(xs: list[int], absurd: int) -> None:
    honest = [(float(x), 20 + 1.2 * x) for x in xs]
    found = line([*honest, *[(100.0, 1e12)] * absurd])
    for x in (50.0, 500.0, 2000.0):
        assert found.more + found.each * x < 11 * x + 4096


def test_of_prompts_that_are_all_alike_it_is_the_ratio() -> None:
    assert line([(100.0, 250.0), (110.0, 275.0), (120.0, 300.0)]) == Line(2.5, 0.0)


@given(st.lists(st.tuples(st.floats(1, 1e7), st.floats(1, 1e7)), max_size=50))
def test_a_line_always_rises_within_its_bounds(pairs: list[tuple[float, float]]) -> None:
    found = line(pairs)
    assert 0.2 <= found.each <= 10.0
    assert -64.0 <= found.more <= 4096.0


def test_only_the_last_pairs_count() -> None:
    old, new = [(100.0, 900.0)] * 50, [(100.0, 150.0)] * 20
    assert line([*old, *new], kept=20) == Line(1.5, 0.0)
