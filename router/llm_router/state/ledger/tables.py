"""The ledger's tables, version 1, for SQLite and PostgreSQL alike, and a view of them for people.

Amounts are whole picodollars in 64 bits, so that any SQL adds them up exactly; the view shows USD.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    inspect,
    text,
)
from sqlalchemy.types import TypeDecorator

from .store import StoreUnavailable

VERSION = 1
_LOCK = 0x6C6C6D726C656467
"""PostgreSQL's advisory lock while the tables are made: "llmrledg" in ASCII."""


class UnixTime(TypeDecorator[float]):
    """A Unix time in Python, a timestamp in UTC in the database; SQLite has no time zones, PostgreSQL keeps one."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> DateTime:
        return DateTime(timezone=dialect.name != "sqlite")

    def process_bind_param(self, value: float | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment = datetime.fromtimestamp(value, UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> float | None:
        if value is None:
            return None
        return (value.replace(tzinfo=UTC) if value.tzinfo is None else value).timestamp()


metadata = MetaData()

requests = Table(
    "llm_router_requests",
    metadata,
    Column("request_id", String, primary_key=True),
    Column("started_at", UnixTime, nullable=False),
    Column("settled_at", UnixTime, nullable=False),
    Column("day", String(10), nullable=False),
    Column("key_name", String),
    Column("status", Integer, nullable=False),
    Column("target", String),
    Column("kind", String),
    Column("model", String),
    Column("reason", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("unpriced", Boolean, nullable=False),
    Column("charged_picousd", BigInteger, nullable=False),
    Column("cost_picousd", BigInteger),
    Column("baseline", String),
    Column("baseline_picousd", BigInteger),
    Index("llm_router_requests_settled_at", "settled_at", "request_id"),
)

attempts = Table(
    "llm_router_attempts",
    metadata,
    Column("request_id", String, ForeignKey(requests.c.request_id, ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("target", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("estimated", Boolean),
    Column("cost_picousd", BigInteger),
)

schema = Table("llm_router_schema", metadata, Column("version", Integer, nullable=False))

_VIEW = """
CREATE VIEW llm_router_ledger AS
SELECT request_id, started_at, settled_at, day, key_name, status, target, kind, model, reason, attempts,
       input_tokens, cached_tokens, output_tokens, estimated, unpriced,
       {charged} AS charged_usd, {cost} AS cost_usd, baseline, {baseline} AS baseline_usd, {saved} AS savings_usd
FROM llm_router_requests
"""


def prepare(connection: Connection) -> None:
    """Makes what is missing; several routers may do so at once.

    Raises ``StoreUnavailable`` for tables of another version.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if not inspect(connection).has_table(schema.name):
        metadata.create_all(connection)
        connection.execute(schema.insert().values(version=VERSION))
        connection.execute(text(_view(connection.dialect.name)))
    check(connection)


def check(connection: Connection) -> None:
    """Raises ``StoreUnavailable`` where there is no ledger of this version."""
    if not inspect(connection).has_table(schema.name):
        raise StoreUnavailable("there is no ledger in this database")
    version = connection.execute(schema.select()).scalar_one_or_none()
    if version != VERSION:
        raise StoreUnavailable(f"the ledger's tables are of version {version}, this router knows {VERSION}: upgrade it")


def _view(dialect: str) -> str:
    def usd(column: str) -> str:
        # PostgreSQL multiplies decimals exactly, and rounds quotients; SQLite knows floats only.
        return f"({column}) * 0.000000000001" if dialect == "postgresql" else f"({column}) / 1e12"

    return _VIEW.format(
        charged=usd("charged_picousd"),
        cost=usd("cost_picousd"),
        baseline=usd("baseline_picousd"),
        saved=usd("baseline_picousd - cost_picousd"),
    )
