"""The ledger in Redis: a hash of records by request, and the times of their settlement in a sorted set.

Both keys are in one hash slot, so that a cluster of Redis servers takes them in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from redis.exceptions import RedisError

from ...config.scalars import Seconds, Secret
from ...config.schema import RedisServer
from ...pricing.records import Record, exported
from ...pricing.savings import Query, Tallies, tallied
from ..redis_connection import connect_blocking
from .store import StoreUnavailable

RECORDS = "{llm-router:ledger}:1:records"
TIMES = "{llm-router:ledger}:1:times"
PAGE = 1000
WAIT_S = 5.0

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


class RedisStore:
    """See ``Store``. Reports are made here, of all records that they cover: Redis only keeps them."""

    backend = "redis"

    def __init__(self, url: str) -> None:
        self._redis = connect_blocking(RedisServer(url=Secret(url), timeout=Seconds(WAIT_S)))

    def write(self, records: Sequence[Record]) -> None:
        with _told_as_ours(), self._redis.pipeline(transaction=True) as transaction:
            transaction.ping()
            for record in records:
                transaction.hsetnx(RECORDS, record.request_id, _encode(record))
                transaction.zadd(TIMES, {record.request_id: record.settled_at}, nx=True)
            transaction.execute()

    def tallies(self, query: Query) -> Tallies:
        return tallied(self._records(query), query)

    def export(self, query: Query) -> Iterator[dict[str, Any]]:
        return map(exported, self._records(query))

    def delete_before(self, unix_time: float) -> int:
        deleted = 0
        with _told_as_ours():
            while old := self._redis.zrangebyscore(TIMES, "-inf", f"({unix_time!r}", start=0, num=PAGE):
                with self._redis.pipeline(transaction=True) as transaction:
                    transaction.hdel(RECORDS, *old)
                    transaction.zrem(TIMES, *old)
                    transaction.execute()
                deleted += len(old)
        return deleted

    def close(self) -> None:
        self._redis.close()

    def _records(self, query: Query) -> Iterator[Record]:
        """In order of settlement. The names are taken at once: what is written meanwhile shifts nothing."""
        begin = "-inf" if query.since is None else repr(query.since)
        end = "+inf" if query.until is None else f"({query.until!r}"
        with _told_as_ours():
            names: Any = self._redis.zrangebyscore(TIMES, begin, end)
            for first in range(0, len(names), PAGE):
                for content in self._redis.hmget(RECORDS, names[first : first + PAGE]):
                    if content is not None:
                        yield _decode(content)


@contextmanager
def _told_as_ours() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, msgspec.MsgspecError) as error:
        raise StoreUnavailable(str(error) or type(error).__name__) from error
