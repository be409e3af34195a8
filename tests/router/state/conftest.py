"""One Redis for the whole session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tests.router.redis_server import RedisServer, running_redis


@pytest.fixture(scope="session")
def redis_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(redis_of_the_session: RedisServer) -> RedisServer:
    """Empty."""
    with redis.Redis.from_url(redis_of_the_session.url) as client:
        client.flushall()
    return redis_of_the_session
