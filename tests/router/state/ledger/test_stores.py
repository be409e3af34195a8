"""Every store keeps each record once, and tells the same of it as the ledger in memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import sqlite3
from collections.abc import Iterator, Sequence
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_router.errors import ConfigError
from llm_router.model import Usage
from llm_router.pricing.records import AttemptRecord, Record, exported
from llm_router.pricing.savings import DIMENSIONS, Query, Tallies, report, tallied
from llm_router.state.ledger import redis, sql
from llm_router.state.ledger.store import RecordsRefused, Store, StoreUnavailable, open_store
from tests.router.postgres_server import PostgresServer
from tests.router.pricing.record_samples import MIDNIGHT, make_record
from tests.router.pricing.record_strategies import moments, records
from tests.router.state.ledger.conftest import NUMBERS
from tests.router.state.ledger.writing import write

NO_BOUNDS = Query()


def lines(entries: Sequence[Record]) -> list[dict[str, Any]]:
    return [exported(record) for record in sorted(entries, key=lambda r: (r.settled_at, r.request_id))]


def test_a_record_comes_out_as_it_went_in_and_once(store: Store) -> None:
    wasted = AttemptRecord("openai", "timeout", Usage(input_tokens=7), 0.000123456789)
    entries = [
        make_record("a", settled_at=MIDNIGHT - 1),
        make_record("b", settled_at=MIDNIGHT, key="search", attempts=(wasted,), cost_usd=1e-12, baseline_usd=999.0),
        make_record("c", settled_at=MIDNIGHT + 0.25, target=None, usage=Usage(), baseline=None, baseline_usd=None),
        make_record("d", settled_at=MIDNIGHT + 0.25, cost_usd=None, usage=Usage(output_tokens=3, estimated=True)),
    ]
    store.write(entries[:3])
    store.write(entries)
    store.write([make_record("a", cost_usd=77.0)])
    store.write([])
    assert list(store.export(NO_BOUNDS)) == lines(entries)
    assert list(store.export(Query(since=MIDNIGHT, until=MIDNIGHT + 0.25))) == lines(entries[1:2])


def test_every_store_tells_the_same_as_memory(store: Store) -> None:
    """Over any records, times and groups."""
    written: dict[str, Record] = {}

    @settings(max_examples=15)
    @given(
        st.lists(records, max_size=30),
        st.none() | moments,
        st.none() | moments,
        st.lists(st.sampled_from(DIMENSIONS), unique=True).map(tuple),
    )
    def agree(entries: list[Record], since: float | None, until: float | None, by: tuple[str, ...]) -> None:
        for record in entries:
            written.setdefault(record.request_id, record)
        store.write(entries)
        query = Query(since=since, until=until, by=by)
        assert reported(store.tallies(query), query) == reported(tallied(written.values(), query), query)

    agree()
    assert list(store.export(NO_BOUNDS)) == lines(list(written.values()))


def reported(tallies: Tallies, query: Query) -> dict[str, Any]:
    return report(tallies, query, ledger="", baseline=None, complete=True, now=0.0)


def test_an_export_of_several_pages_loses_and_repeats_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "PAGE", 7)
    monkeypatch.setattr(redis, "PAGE", 7)
    entries = [make_record(f"{number:03}", settled_at=MIDNIGHT + number // 5) for number in range(50)]
    store.write(entries)
    assert list(store.export(NO_BOUNDS)) == lines(entries)


def test_what_is_too_old_is_deleted_and_nothing_else(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis, "PAGE", 2)
    entries = [make_record(str(number), settled_at=MIDNIGHT + number) for number in range(7)]
    store.write(entries)
    assert store.delete_before(MIDNIGHT + 5) == 5
    assert store.delete_before(MIDNIGHT + 5) == 0
    assert list(store.export(NO_BOUNDS)) == lines(entries[5:])


def test_several_processes_lose_nothing_and_double_nothing(url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write, args=(url, range(first, first + 8))) for first in (0, 100, 200)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    store = open_store(url, folder=Path())
    shown = reported(store.tallies(NO_BOUNDS), NO_BOUNDS)
    store.close()
    assert shown["requests"] == 3 * 8 * 20 + 10
    assert shown["cost_usd"] == 4.9


# ---------------------------------------------------------------- SQL


@pytest.fixture(params=["sqlite", "postgresql"])
def sql_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.sqlite"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create(f"sql{next(NUMBERS)}")


def asked(url: str, question: str) -> list[tuple[Any, ...]]:
    """What somebody else's SQL gets."""
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file, file:
            return file.execute(question).fetchall()
    with psycopg.connect(url) as connection:
        cursor = connection.execute(question.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def sql_store(sql_url: str) -> Iterator[Store]:
    opened = open_store(sql_url, folder=Path())
    yield opened
    opened.close()


def test_sums_in_sql_are_exact(sql_store: Store, sql_url: str) -> None:
    sql_store.write([make_record(str(number), cost_usd=0.1, baseline_usd=0.3) for number in range(1000)])
    ((whole,),) = asked(sql_url, "SELECT SUM(cost_picousd) FROM llm_router_requests")
    assert int(whole) == 100 * 10**12
    ((cost, saved),) = asked(sql_url, "SELECT SUM(cost_usd), SUM(savings_usd) FROM llm_router_ledger")
    assert (round(float(cost), 6), round(float(saved), 6)) == (100.0, 200.0)
    ((sent,),) = asked(sql_url, "SELECT SUM(cost_picousd) FROM llm_router_attempts WHERE target = 'aws'")
    assert int(sent) == 100 * 10**12


def test_postgresql_shows_dollars_to_the_last_digit(postgres: PostgresServer) -> None:
    url = postgres.create(f"exact{next(NUMBERS)}")
    store = open_store(url, folder=Path())
    store.write([make_record("a", cost_usd=0.000000000001), make_record("b", cost_usd=123.000000000001)])
    assert asked(url, "SELECT SUM(cost_usd) FROM llm_router_ledger") == [(Decimal("123.000000000002"),)]
    store.close()


def test_a_record_that_the_database_cannot_hold_is_refused_and_changes_nothing(sql_store: Store) -> None:
    absurd = make_record("b", usage=Usage(input_tokens=2**70))
    with pytest.raises(RecordsRefused):
        sql_store.write([make_record("a"), absurd])
    sql_store.write([make_record("c")])
    assert [line["request_id"] for line in sql_store.export(NO_BOUNDS)] == ["c"]


def test_tables_of_a_later_version_are_left_alone(sql_store: Store, sql_url: str) -> None:
    sql_store.write([make_record("a")])
    asked(sql_url, "UPDATE llm_router_schema SET version = 2")
    later = open_store(sql_url, folder=Path())
    with pytest.raises(StoreUnavailable, match="version 2, this router knows 1"):
        later.write([make_record("b")])
    with pytest.raises(StoreUnavailable, match="version 2"):
        list(later.export(NO_BOUNDS))
    later.close()


def test_tables_that_somebody_dropped_are_made_again(sql_store: Store, sql_url: str) -> None:
    sql_store.write([make_record("a")])
    asked(sql_url, "DROP VIEW llm_router_ledger")
    for table in ("attempts", "requests", "schema"):
        asked(sql_url, f"DROP TABLE llm_router_{table}")
    with pytest.raises(StoreUnavailable):
        sql_store.write([make_record("b")])
    sql_store.write([make_record("b")])
    assert len(list(sql_store.export(NO_BOUNDS))) == 1


def test_an_empty_database_is_no_ledger(sql_store: Store) -> None:
    with pytest.raises(StoreUnavailable, match="no ledger"):
        sql_store.tallies(NO_BOUNDS)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    file.write_bytes(b"not a database, but quite long enough to look at" * 50)
    store = open_store("sqlite:///ledger.sqlite", folder=tmp_path)
    with pytest.raises(StoreUnavailable, match="not a database"):
        store.write([make_record("a")])
    store.close()


# ---------------------------------------------------------------- opening


@pytest.mark.parametrize("url", ["postgresql://router:hunter-two@127.0.0.1:1/x", "redis://:hunter-two@127.0.0.1:1"])
def test_nobody_there_is_told_without_the_password(url: str) -> None:
    store = open_store(url, folder=Path())
    with pytest.raises(StoreUnavailable) as told:
        store.write([make_record("a")])
    assert "hunter-two" not in str(told.value)
    store.close()


def test_a_file_that_must_exist_and_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        open_store("sqlite:///ledger.sqlite", folder=tmp_path, must_exist=True)
    with pytest.raises(ConfigError, match="there is no directory"):
        open_store("sqlite:///nowhere/ledger.sqlite", folder=tmp_path)


@pytest.mark.parametrize(
    ("url", "library", "extra"),
    [("sqlite:///x", "sqlalchemy", "sql"), ("postgresql://h/d", "psycopg", "sql"), ("redis://h", "redis", "redis")],
)
def test_without_its_library_a_store_says_how_to_get_it(
    url: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = "llm_router.state.ledger.store.find_spec"
    monkeypatch.setattr(missing, lambda name: None if name == library else find_spec(name))
    with pytest.raises(ConfigError, match=rf"pip install 'multicloud-llm-router\[{extra}\]'"):
        open_store(url, folder=tmp_path)
