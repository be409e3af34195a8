"""A store of each kind, empty for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from llm_router.state.ledger.store import Store, open_store
from tests.router.postgres_server import PostgresServer, postgres_data, running_postgres
from tests.router.redis_server import RedisServer, running_redis

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    log = tmp_path_factory.mktemp("postgres") / "postgres.log"
    with postgres_data() as folder, running_postgres(folder, log) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty ledger."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.sqlite"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.create(f"ledger{next(NUMBERS)}")
    other: RedisServer = request.getfixturevalue("redis_server")
    with redis.Redis.from_url(other.url) as client:
        client.flushall()
    return other.url


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(url, folder=tmp_path)
    yield opened
    opened.close()
