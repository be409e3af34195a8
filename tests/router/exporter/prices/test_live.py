"""A live price: refreshed, judged, kept while nothing better comes, given up when it is too old."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.exporter.prices.base import PriceUnknown
from llm_router.exporter.prices.chain import Fetches
from llm_router.exporter.prices.live import ABSURD_FACTOR, LEAST_USD, MOST_USD, LivePrice, absurdity

HOUR, DAY = 3600.0, 86400.0
Said = float | Exception


@dataclass
class Scripted:
    """Says these one after the other, then the last for ever."""

    says: list[Said]
    closed: bool = False
    label: str = "scripted"

    async def usd_per_hour(self) -> float:
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, Exception):
            raise said
        return said

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class Bench:
    """A live price on the bench: time passes when it is told to."""

    says: Sequence[Said]
    reference: float | None = None
    refresh_s: float = HOUR
    now: float = 1000.0
    fetches: Fetches = field(default_factory=Fetches)

    def __post_init__(self) -> None:
        self.live = LivePrice(
            Scripted(list(self.says)),
            refresh_s=self.refresh_s,
            max_age_s=DAY,
            reference=self.reference,
            clock=lambda: self.now,
            tally=self.fetches,
        )

    def refresh(self, after_s: float = 0.0) -> float:
        self.now += after_s
        return asyncio.run(self.live.refresh())

    @property
    def usd(self) -> float | None:
        quote = self.live.quote()
        return None if quote is None else quote.usd_per_hour

    def counted(self, result: str) -> int:
        return self.fetches.counts.get(("scripted", result), 0)


def test_before_the_first_answer_there_is_no_price() -> None:
    assert Bench([0.25]).live.quote() is None


def test_an_answer_is_the_price_and_ages_until_the_next() -> None:
    bench = Bench([0.25, 0.26])
    assert bench.refresh() == HOUR
    bench.now += 600
    quote = bench.live.quote()
    assert quote is not None
    assert (quote.usd_per_hour, quote.source, quote.age_s) == (0.25, "scripted", 600)
    bench.refresh()
    quote = bench.live.quote()
    assert quote is not None
    assert (quote.usd_per_hour, quote.age_s) == (0.26, 0)
    assert bench.counted("accepted") == 2


def test_while_the_source_is_down_the_last_good_price_stays_and_ages() -> None:
    bench = Bench([0.25, PriceUnknown("down")])
    bench.refresh()
    bench.refresh(HOUR)
    quote = bench.live.quote()
    assert quote is not None
    assert (quote.usd_per_hour, quote.age_s) == (0.25, HOUR)
    assert bench.counted("failed") == 1


def test_a_last_good_price_that_is_too_old_is_given_up() -> None:
    bench = Bench([0.25, PriceUnknown("down")])
    bench.refresh()
    bench.refresh(DAY)
    assert bench.usd == 0.25
    bench.now += 1
    assert bench.usd is None


@pytest.mark.parametrize(
    ("reference", "lie"),
    [
        (None, 0.0),
        (None, -0.25),
        (None, math.nan),
        (None, math.inf),
        (None, 0.25e6),
        (None, 0.25e-6),
        (0.526, 526.0),
        (0.526, 0.001),
        (0.526, 0.526 * ABSURD_FACTOR * 1.01),
    ],
)
def test_a_lie_is_refused_counted_and_leaves_the_price_as_it_was(reference: float | None, lie: float) -> None:
    first = Bench([lie], reference)
    first.refresh()
    assert (first.usd, first.counted("refused")) == (None, 1)
    later = Bench([0.25, lie], reference)
    later.refresh()
    later.refresh(HOUR)
    assert (later.usd, later.counted("refused"), later.counted("accepted")) == (0.25, 1, 1)


def test_a_spot_price_at_a_tenth_of_the_reference_is_believed() -> None:
    bench = Bench([0.058], 0.526)
    bench.refresh()
    assert bench.usd == 0.058


def test_later_answers_are_judged_by_the_last_good_one() -> None:
    bench = Bench([0.05, 0.9, 19.0])
    for _ in range(3):
        bench.refresh(HOUR)
    assert (bench.usd, bench.counted("refused")) == (0.9, 1)


def test_small_steps_do_not_lead_away_from_what_a_node_costs() -> None:
    bench = Bench([0.5, 5.0, 50.0], 0.526)
    for _ in range(3):
        bench.refresh(HOUR)
    assert (bench.usd, bench.counted("refused")) == (5.0, 1)


def test_what_is_really_so_is_believed_once_the_last_good_price_has_been_given_up() -> None:
    bench = Bench([0.05, 1.1])
    bench.refresh()
    bench.refresh(DAY - 1)
    assert bench.usd == 0.05
    bench.refresh(2)
    assert bench.usd == 1.1


@given(st.floats(allow_nan=True, allow_infinity=True), st.none() | st.floats(LEAST_USD, MOST_USD))
def test_nothing_that_is_believed_is_free_negative_or_beyond_all_measure(usd: float, known: float | None) -> None:
    if absurdity(usd, [] if known is None else [known]) is None:
        assert LEAST_USD <= usd <= MOST_USD
        assert known is None or known / ABSURD_FACTOR <= usd <= known * ABSURD_FACTOR


@given(st.lists(st.floats() | st.just(PriceUnknown("down")), min_size=1, max_size=20))
def test_whatever_a_source_says_the_price_is_none_or_a_sane_one(says: list[Said]) -> None:
    bench = Bench(says, 0.526)
    for _ in says:
        bench.refresh(HOUR)
        assert bench.usd is None or 0.526 / ABSURD_FACTOR <= bench.usd <= 0.526 * ABSURD_FACTOR
    counts = bench.fetches.counts
    assert sum(counts.values()) == len(says)


def test_after_failures_it_asks_again_sooner_then_rarer_and_never_more_often_than_when_all_is_well() -> None:
    bench = Bench([PriceUnknown("down")])
    waits = [bench.refresh() for _ in range(12)]
    assert waits[:4] == [10, 20, 40, 80]
    assert waits[-1] == HOUR
    assert [Bench([PriceUnknown("down")], refresh_s=5).refresh() for _ in range(2)] == [5, 5]


def test_after_a_success_it_begins_anew() -> None:
    bench = Bench([PriceUnknown("down"), PriceUnknown("down"), 0.25, PriceUnknown("down")])
    assert [bench.refresh() for _ in range(4)] == [10, 20, HOUR, 10]


@pytest.mark.parametrize(("asked_for", "waits"), [(77.0, 77), (3.0, 10), (1e9, HOUR)])
def test_it_comes_back_when_it_is_told_to_within_reason(asked_for: float, waits: float) -> None:
    assert Bench([PriceUnknown("slow down", retry_after_s=asked_for)]).refresh() == waits


def test_a_bug_in_a_source_is_logged_and_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench([ZeroDivisionError(), 0.25])
    assert bench.refresh() == 10
    assert "asking scripted for a price failed" in caplog.text
    bench.refresh()
    assert bench.usd == 0.25


def test_a_complaint_is_made_once_and_again_after_all_was_well(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench([PriceUnknown("down"), PriceUnknown("down"), 0.25, PriceUnknown("down")])
    for _ in range(4):
        bench.refresh()
    assert [record.message for record in caplog.records] == [
        "no new node price from scripted: down",
        "scripted says what a node costs again",
        "no new node price from scripted: down",
    ]


def test_a_source_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_router.exporter.prices.live.ANSWER_S", 0.01)

    class Silent(Scripted):
        async def usd_per_hour(self) -> float:
            await asyncio.Event().wait()
            return 0.0

    fetches = Fetches()
    clock: Callable[[], float] = lambda: 0.0  # noqa: E731
    live = LivePrice(Silent([0.0]), refresh_s=HOUR, max_age_s=DAY, reference=None, clock=clock, tally=fetches)
    assert asyncio.run(live.refresh()) == 10
    assert fetches.counts == {("scripted", "failed"): 1}
