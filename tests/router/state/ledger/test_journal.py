"""Records wait for their store, never for ever and never in silence; requests never wait for either."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from prometheus_client import CollectorRegistry

from llm_router.pricing.records import Record
from llm_router.pricing.savings import Query, Tallies, tallied
from llm_router.state.ledger import journal as journal_module
from llm_router.state.ledger.journal import Journal
from llm_router.state.ledger.store import RecordsRefused, StoreUnavailable
from llm_router.telemetry.metrics import Metrics
from tests.router.pricing.record_samples import make_record


class Scripted:
    """A store in memory that fails on demand."""

    backend = "scripted"

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.writes: list[list[str]] = []
        self.deleted: list[float] = []
        self.down = self.closed = self.forgets_to_answer = False
        self.refused: set[str] = set()

    def write(self, records: Sequence[Record]) -> None:
        if self.down:
            raise StoreUnavailable("it is down")
        if bad := self.refused & {record.request_id for record in records}:
            raise RecordsRefused(f"no {sorted(bad)}")
        self.writes.append([record.request_id for record in records])
        for record in records:
            self.records.setdefault(record.request_id, record)
        if self.forgets_to_answer:
            self.forgets_to_answer = False
            raise StoreUnavailable("the connection broke after the commit")

    def tallies(self, query: Query) -> Tallies:
        return tallied(self.records.values(), query)

    def export(self, query: Query) -> Iterator[dict[str, Any]]:
        raise NotImplementedError

    def delete_before(self, unix_time: float) -> int:
        self.deleted.append(unix_time)
        return 0

    def close(self) -> None:
        self.closed = True


class Clock:
    """Sleeps pass at once, and move both clocks."""

    def __init__(self) -> None:
        self.now, self.unix_offset = 1000.0, 1_700_000_000.0

    def monotonic(self) -> float:
        return self.now

    def unix(self) -> float:
        return self.now + self.unix_offset

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


def run(test: Callable[[Journal, Scripted, Clock, Metrics], Awaitable[None]], **settings: Any) -> Scripted:
    async def main() -> Scripted:
        store, clock, metrics = Scripted(), Clock(), Metrics(CollectorRegistry())
        journal = Journal(
            store,
            metrics,
            max_waiting=settings.get("max_waiting", 100),
            retention_s=settings.get("retention_s"),
            clock=clock.monotonic,
            unix_time=clock.unix,
            sleep=clock.sleep,
        )
        async with journal:
            await test(journal, store, clock, metrics)
        assert store.closed
        return store

    return asyncio.run(asyncio.wait_for(main(), 30))


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - there is no event for what is waited for
        await asyncio.sleep(0.001)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"backend": "scripted", **labels})


def test_records_are_written_in_batches_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "BATCH", 4)

    async def test(journal: Journal, store: Scripted, _clock: Clock, metrics: Metrics) -> None:
        await until(lambda: store.writes == [[]])  # the first write shows whether the store is there
        for number in range(10):
            journal.put(make_record(str(number)))
        await until(lambda: len(store.records) == 10)
        assert store.writes[1:] == [list("0123"), list("4567"), list("89")]
        await until(lambda: journal.written == 10)
        assert value(metrics, "llm_router_ledger_records_total", result="written") == 10
        assert journal.state()["waiting"] == 0

    run(test)


def test_a_report_sees_what_was_put_before_it() -> None:
    async def test(journal: Journal, _store: Scripted, _clock: Clock, _metrics: Metrics) -> None:
        journal.put(make_record("a"))
        tallies = await journal.read(lambda store: store.tallies(Query()))
        assert sum(tally.requests for tally in tallies.values()) == 1

    run(test)


def test_what_waits_at_the_end_is_written() -> None:
    async def test(journal: Journal, _store: Scripted, _clock: Clock, _metrics: Metrics) -> None:
        for number in range(1200):
            journal.put(make_record(str(number)))

    assert len(run(test, max_waiting=5000).records) == 1200


def test_while_the_store_is_down_records_wait_and_later_all_are_written_once(caplog: pytest.LogCaptureFixture) -> None:
    async def test(journal: Journal, store: Scripted, clock: Clock, metrics: Metrics) -> None:
        store.down = True
        started = clock.now
        for number in range(10):
            journal.put(make_record(str(number)))
        await until(lambda: journal.trouble is not None and clock.now > started + 30)
        state = journal.state()
        assert (state["up"], state["error"], state["waiting"], state["lost"]) == (False, "it is down", 10, 0)
        assert state["delay_s"] > 25
        assert value(metrics, "llm_router_ledger_up") == 0
        assert value(metrics, "llm_router_ledger_waiting_records") == 10
        with pytest.raises(StoreUnavailable):
            await journal.read(lambda store: store.tallies(Query()))
        store.down = False
        await until(lambda: journal.trouble is None)
        assert len(store.records) == 10
        assert value(metrics, "llm_router_ledger_up") == 1
        assert value(metrics, "llm_router_ledger_delay_seconds") == 0

    with caplog.at_level(logging.WARNING, "llm_router.ledger"):
        run(test)
    assert len(caplog.records) == 2, "one line when it fails, one when it is well again"


def test_a_batch_whose_answer_got_lost_is_written_again_and_counts_once() -> None:
    async def test(journal: Journal, store: Scripted, _clock: Clock, _metrics: Metrics) -> None:
        await until(lambda: bool(store.writes))
        store.forgets_to_answer = True
        journal.put(make_record("a"))
        await until(lambda: journal.written == 1)
        assert store.writes[1:] == [["a"], ["a"]]
        assert len(store.records) == 1

    run(test)


def test_beyond_the_limit_records_are_lost_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    async def test(journal: Journal, store: Scripted, _clock: Clock, metrics: Metrics) -> None:
        store.down = True
        for number in range(150):
            journal.put(make_record(str(number)))
        assert (journal.lost, journal.state()["waiting"]) == (50, 100)
        assert value(metrics, "llm_router_ledger_records_total", result="lost") == 50
        store.down = False

    with caplog.at_level(logging.ERROR, "llm_router.ledger"):
        store = run(test)
    assert sorted(store.records, key=int) == [str(number) for number in range(100)]
    told = [record.getMessage() for record in caplog.records if "lost" in record.getMessage()]
    assert [text.split()[0] for text in told] == ["1", "10"]


def test_a_record_that_is_refused_takes_no_other_with_it() -> None:
    async def test(journal: Journal, store: Scripted, _clock: Clock, _metrics: Metrics) -> None:
        store.refused = {"3"}
        for number in range(6):
            journal.put(make_record(str(number)))
        await until(lambda: journal.written + journal.lost == 6)
        assert journal.lost == 1
        assert journal.trouble is None

    assert set(run(test).records) == set("01245")


def test_what_cannot_be_written_at_the_end_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "LAST_TRY_S", 0.05)

    async def test(journal: Journal, store: Scripted, _clock: Clock, _metrics: Metrics) -> None:
        store.down = True
        journal.put(make_record("a"))
        journal.put(make_record("b"))

    with caplog.at_level(logging.ERROR, "llm_router.ledger"):
        run(test)
    assert "2 records of the ledger are lost: the router ends" in caplog.text


def test_old_records_are_deleted_each_hour_by_a_clock_that_can_be_trusted(caplog: pytest.LogCaptureFixture) -> None:
    async def test(_journal: Journal, store: Scripted, clock: Clock, _metrics: Metrics) -> None:
        await until(lambda: len(store.deleted) >= 2)
        first, second = store.deleted[:2]
        assert first == pytest.approx(1_700_001_000.0 - 86400, abs=10)
        assert second - first == pytest.approx(3600, abs=10)
        clock.unix_offset += 10 * 365 * 86400
        await until(lambda: "clock has jumped" in caplog.text)
        assert max(store.deleted) < clock.now + 1_700_000_000 - 86400 + 1

    run(test, retention_s=86400.0)


class Handed(RuleBasedStateMachine):
    """Records are put while their store goes down, comes back, refuses some and forgets to answer.

    Each is written, or waits, or is counted as lost; none is written as anything but what was put. Once the store is
    well, nothing waits, and lost are only those that it refused and those for which there was no room.
    """

    ROOM = 6

    def __init__(self) -> None:
        super().__init__()
        self.runner, self.store, clock = asyncio.Runner(), Scripted(), Clock()
        self.put: dict[str, Record] = {}
        self.no_room = 0
        self.journal = Journal(
            self.store,
            Metrics(CollectorRegistry()),
            max_waiting=self.ROOM,
            retention_s=None,
            clock=clock.monotonic,
            unix_time=clock.unix,
            sleep=clock.sleep,
        )
        self.runner.run(self.journal.__aenter__())

    @rule(count=st.integers(1, 4), refused=st.booleans())
    def hand_over(self, count: int, refused: bool) -> None:
        for _ in range(count):
            record = make_record(str(len(self.put)), cost_usd=len(self.put) / 1000)
            self.put[record.request_id] = record
            if refused:
                self.store.refused.add(record.request_id)
            self.no_room += self.journal.state()["waiting"] >= self.ROOM
            self.journal.put(record)

    @rule(down=st.booleans(), forgets_to_answer=st.booleans())
    def something_happens_to_the_store(self, down: bool, forgets_to_answer: bool) -> None:
        self.store.down, self.store.forgets_to_answer = down, forgets_to_answer

    @rule()
    def time_passes(self) -> None:
        if self.store.down:
            self.runner.run(asyncio.sleep(0.002))
        else:
            self.all_is_settled()

    def all_is_settled(self) -> None:
        self.runner.run(until(lambda: self.journal.state()["waiting"] == 0))
        refused = self.put.keys() & self.store.refused
        assert self.journal.written + self.journal.lost == len(self.put)
        assert self.no_room <= self.journal.lost <= self.no_room + len(refused)
        assert len(self.store.records) == self.journal.written

    @invariant()
    def none_is_forgotten(self) -> None:
        state = self.journal.state()
        assert state["written"] + state["lost"] + state["waiting"] >= len(self.put)

    @invariant()
    def what_is_written_is_what_was_put(self) -> None:
        assert self.store.records == {name: self.put[name] for name in self.store.records}

    def teardown(self) -> None:
        self.store.down = False
        self.all_is_settled()
        self.runner.run(self.journal.__aexit__(None, None, None))
        self.runner.close()


TestHanded: Any = Handed.TestCase
TestHanded.settings = settings(max_examples=25, stateful_step_count=20)
