"""etcd v3: each key under a prefix is a cluster, its value the cluster's entry as a JSON object."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import msgspec
from msgspec import Struct

from ..config.schema import Discovery
from .base import Answer, Instance
from .etcd_gateway import Gateway, TokenExpired
from .http import decoded
from .instances import name_of
from .mirror import Follower, PlaceLost

PAGE = 500


class Header(Struct, frozen=True):
    revision: int = 0


class KeyValue(Struct, frozen=True):
    key: bytes = b""
    value: bytes = b""
    mod_revision: int = 0


class Range(Struct, frozen=True):
    header: Header = Header()
    kvs: tuple[KeyValue, ...] = ()
    more: bool = False


class Event(Struct, frozen=True):
    type: str = "PUT"
    kv: KeyValue = KeyValue()


class WatchResult(Struct, frozen=True):
    header: Header = Header()
    created: bool = False
    canceled: bool = False
    compact_revision: int = 0
    cancel_reason: str = ""
    events: tuple[Event, ...] = ()


class Failure(Struct, frozen=True):
    message: str = ""


class WatchLine(Struct, frozen=True):
    result: WatchResult | None = None
    error: Failure | None = None


class Etcd:
    """A ``Source``."""

    method = "etcd"

    def __init__(
        self, gateway: Gateway, prefix: str, discovery: Discovery, *, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._gateway = gateway
        self._follower = Follower(Keys(gateway, prefix), discovery.refresh_interval, sleep)

    def answers(self) -> AsyncGenerator[Answer, None]:
        return self._follower.answers()

    async def aclose(self) -> None:
        await self._gateway.aclose()


class Keys:
    """The keys under a prefix as of a revision: a ``Mirror``."""

    def __init__(self, gateway: Gateway, prefix: str, page: int = PAGE) -> None:
        self._gateway, self._prefix, self._page = gateway, prefix.encode(), page
        self._values: dict[bytes, bytes] = {}
        self._revision = 0

    async def list(self) -> None:
        values: dict[bytes, bytes] = {}
        start, revision = self._prefix, 0
        while True:
            # All pages as of the first one's revision: together they are one moment.
            question = {**self._from(start), "limit": self._page, "revision": revision}
            page = await self._gateway.ask("/v3/kv/range", question, Range)
            revision = revision or page.header.revision
            values |= {kv.key: kv.value for kv in page.kvs}
            if not (page.more and page.kvs):
                break
            start = page.kvs[-1].key + b"\0"
        self._values, self._revision = values, revision

    async def watch(self, for_s: float) -> AsyncGenerator[None, None]:
        try:
            async with aclosing(self._watch(for_s)) as changes:
                async for _ in changes:
                    yield
        except TokenExpired:
            async with aclosing(self._watch(for_s)) as changes:
                async for _ in changes:
                    yield

    async def _watch(self, for_s: float) -> AsyncGenerator[None, None]:
        request = {**self._from(self._prefix), "start_revision": self._revision + 1, "progress_notify": True}
        async with aclosing(self._gateway.lines("/v3/watch", {"create_request": request}, for_s)) as lines:
            async for line in lines:
                self._take(decoded(line, WatchLine, "etcd's watch"))
                yield

    def instances(self) -> tuple[Instance, ...]:
        return tuple(self._instance(key, value) for key, value in self._values.items())

    def _from(self, start: bytes) -> dict[str, Any]:
        return {"key": b64encode(start).decode(), "range_end": b64encode(end_of(self._prefix)).decode()}

    def _take(self, line: WatchLine) -> None:
        result = line.result
        if result is None:
            raise self._gateway.failed(f"etcd ends the watch: {line.error.message if line.error else 'no result'}")
        if result.compact_revision:
            raise PlaceLost
        if result.canceled:
            raise self._gateway.failed(f"etcd ends the watch: {result.cancel_reason or 'canceled'}")
        for event in result.events:
            if event.type == "DELETE":
                self._values.pop(event.kv.key, None)
            else:
                self._values[event.kv.key] = event.kv.value
            self._revision = max(self._revision, event.kv.mod_revision)
        if not result.events and not result.created:
            self._revision = max(self._revision, result.header.revision)  # a progress notification

    def _instance(self, key: bytes, value: bytes) -> Instance:
        shown = key.decode(errors="replace")
        name = name_of(*key.removeprefix(self._prefix).decode(errors="replace").strip("/").split("/"))
        try:
            entry = msgspec.json.decode(value, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError) as exc:
            return Instance(f"key {shown}", {"name": name}, fault=f"the value is no JSON object: {exc}")
        return Instance(f"key {shown}", {"name": name} | entry)


def end_of(prefix: bytes) -> bytes:
    """The first key after all that begin with ``prefix``; every key where there is none."""
    for i in range(len(prefix) - 1, -1, -1):
        if prefix[i] < 0xFF:
            return prefix[:i] + bytes([prefix[i] + 1])
    return b"\0"
