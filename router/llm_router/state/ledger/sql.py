"""The ledger in SQLite or PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    Table,
    and_,
    case,
    create_engine,
    delete,
    event,
    func,
    literal,
    make_url,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from ...pricing.records import NOBODY, Record
from ...pricing.savings import Group, Query, Tallies, Tally
from .rows import attempt_rows, line_of, request_row
from .store import RecordsRefused, StoreUnavailable
from .tables import attempts, check, prepare, requests

WAIT_S = 5
"""How long to wait for a connection, and for another process that writes to the same file."""
PAGE = 1000


def server_engine(url: str) -> Engine:
    address = make_url(url).set(drivername="postgresql+psycopg")
    limits = {"connect_timeout": str(WAIT_S), "application_name": "llm-router", "tcp_user_timeout": "10000"}
    return create_engine(
        address.set(query={**limits, **address.query}),
        connect_args={"prepare_threshold": None},  # poolers between do not know what was prepared
        pool_pre_ping=True,
        pool_size=2,
        pool_timeout=WAIT_S,
    )


def file_engine(file: Path) -> Engine:
    engine = create_engine(URL.create("sqlite", database=str(file)), connect_args={"timeout": WAIT_S})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say so
        # A reader and a writer do not wait for each other; what is committed survives a loss of power.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A reader that turns writer would fail at once where another writes; one that says so first waits.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


class SqlStore:
    """See ``Store``. The tables are made with the first write."""

    def __init__(self, backend: str, engine: Engine) -> None:
        self.backend = backend
        self._engine = engine
        self._prepared = False
        self._insert = postgresql.insert if backend == "postgresql" else sqlite.insert

    def write(self, records: Sequence[Record]) -> None:
        sends = [row for record in records for row in attempt_rows(record)]
        try:
            with self._writing() as connection:
                self._add(connection, requests, [request_row(record) for record in records])
                self._add(connection, attempts, sends)
        except (DataError, IntegrityError, OverflowError) as error:
            raise RecordsRefused(_told(error)) from error

    def tallies(self, query: Query) -> Tallies:
        compared = and_(requests.c.cost_picousd.is_not(None), requests.c.baseline_picousd.is_not(None))
        group = {name: _DIMENSIONS[name] for name in query.by if name != "baseline"}
        group["baseline"] = case((compared, func.coalesce(requests.c.baseline, NOBODY)), else_="")
        sums = {
            "requests": func.count(),
            "unanswered": _count(requests.c.target.is_(None)),
            "input_tokens": _sum(requests.c.input_tokens),
            "output_tokens": _sum(requests.c.output_tokens),
            "estimated": _count(requests.c.estimated),
            "unpriced": _count(requests.c.unpriced),
            "charged_picousd": _sum(requests.c.charged_picousd),
            "compared": _count(compared),
            "compared_picousd": _sum(case((compared, requests.c.cost_picousd), else_=0)),
            "baseline_picousd": _sum(case((compared, requests.c.baseline_picousd), else_=0)),
        }
        columns = [column.label(f"g_{name}") for name, column in group.items()]
        figures = [column.label(name) for name, column in sums.items()]
        statement = select(*columns, *figures).where(*_covered(query)).group_by(*columns)
        with self._reading() as connection:
            rows = connection.execute(statement).mappings().all()
        return {
            Group(**{name: row[f"g_{name}"] for name in group}): Tally(**{name: int(row[name]) for name in sums})
            for row in rows
        }

    def export(self, query: Query) -> Iterator[dict[str, Any]]:
        at = tuple_(requests.c.settled_at, requests.c.request_id)
        after: tuple[ColumnElement[bool], ...] = ()
        while True:
            statement = select(requests).where(*_covered(query), *after).order_by(*at).limit(PAGE)
            with self._reading() as connection:
                rows = connection.execute(statement).all()
            yield from map(line_of, rows)
            if len(rows) < PAGE:
                return
            last = rows[-1]
            after = (at > tuple_(literal(last.settled_at, requests.c.settled_at.type), last.request_id),)

    def delete_before(self, unix_time: float) -> int:
        with self._writing() as connection:
            return connection.execute(delete(requests).where(requests.c.settled_at < unix_time)).rowcount

    def close(self) -> None:
        self._engine.dispose()

    def _add(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            connection.execute(self._insert(table).on_conflict_do_nothing(), rows)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._told_as_ours(), self._engine.connect().execution_options(writes=True) as connection:
            with connection.begin():
                if not self._prepared:
                    prepare(connection)
                yield connection
            self._prepared = True

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._told_as_ours(), self._engine.connect() as connection:
            check(connection)
            yield connection

    @contextmanager
    def _told_as_ours(self) -> Iterator[None]:
        try:
            yield
        except (DataError, IntegrityError):
            raise
        except SQLAlchemyError as error:
            self._prepared = False  # somebody may have dropped the tables
            raise StoreUnavailable(_told(error)) from error


_DIMENSIONS = {
    "target": func.coalesce(requests.c.target, NOBODY),
    "model": func.coalesce(requests.c.model, NOBODY),
    "key": func.coalesce(requests.c.key_name, NOBODY),
    "day": requests.c.day,
}


def _sum(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(column), 0)


def _count(condition: ColumnElement[Any]) -> ColumnElement[Any]:
    return _sum(case((condition, 1), else_=0))


def _covered(query: Query) -> Iterator[ColumnElement[bool]]:
    if query.since is not None:
        yield requests.c.settled_at >= query.since
    if query.until is not None:
        yield requests.c.settled_at < query.until


def _told(error: Exception) -> str:
    """The driver's own words, without the statement and its parameters."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return " ".join(str(cause).split()) or type(cause).__name__
