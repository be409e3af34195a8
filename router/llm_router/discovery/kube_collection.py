"""The objects of one kind in Kubernetes, listed once and then watched.

The protocol is https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes: a list has
a resource version, a watch goes on from there, bookmarks move it on while nothing happens, and 410 means that the
server has forgotten it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from .base import SourceDown
from .http import Refused, Registry, decoded
from .kube_objects import Meta, Node, Service, Slice
from .mirror import PlaceLost

PAGE = 500
ANSWER_S = 10.0
GRACE_S = 10.0
"""How much longer than agreed a watch may last before it counts as dead."""
GONE = 410

T = TypeVar("T", Service, Slice, Node)


class ListMeta(Struct, frozen=True, rename={"resource_version": "resourceVersion", "going_on": "continue"}):
    resource_version: str = ""
    going_on: str = ""


class Items(Struct, frozen=True):
    metadata: ListMeta = ListMeta()
    items: tuple[msgspec.Raw, ...] = ()


class Event(Struct, frozen=True):
    type: str
    object: msgspec.Raw


class Bookmark(Struct, frozen=True):
    metadata: Meta


class Status(Struct, frozen=True):
    code: int = 0
    message: str = ""


class Collection(Generic[T]):
    """The objects of one kind and namespace as of a resource version."""

    def __init__(self, registry: Registry, path: str, selector: str, kind: type[T], page: int = PAGE) -> None:
        self.path = path
        self.items: dict[tuple[str, str], T] = {}
        self._registry, self._selector, self._page = registry, selector, page
        self._kind: type[T] = kind
        self._version = ""

    async def list(self) -> None:
        items: dict[tuple[str, str], T] = {}
        going_on = ""
        while True:
            params: dict[str, Any] = {"labelSelector": self._selector, "limit": self._page}
            page = decoded(await self._list(params | ({"continue": going_on} if going_on else {})), Items, self.path)
            for raw in page.items:
                self._put(items, decoded(raw, self._kind, self.path))
            going_on = page.metadata.going_on
            if not going_on:
                break
        self.items, self._version = items, page.metadata.resource_version

    async def watch(self, for_s: float) -> AsyncGenerator[None, None]:
        """Yields once connected, and after each change."""
        params = {
            "labelSelector": self._selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": max(1, round(for_s)),
        }
        lines = self._registry.lines("GET", self.path, silence_s=for_s + GRACE_S, params=params)
        try:
            async with aclosing(lines) as stream:
                async for line in stream:
                    if not line or self._take(decoded(line, Event, f"the watch of {self.path}")):
                        yield
        except Refused as refused:
            raise _explained(refused, "watch", self.path) from refused

    async def _list(self, params: dict[str, Any]) -> bytes:
        try:
            _, body = await self._registry.ask("GET", self.path, silence_s=ANSWER_S, params=params)
        except Refused as refused:
            raise _explained(refused, "list", self.path) from refused
        return body

    def _take(self, event: Event) -> bool:
        """Whether the event changes anything but the version."""
        if event.type == "ERROR":
            status = decoded(event.object, Status, self.path)
            raise PlaceLost if status.code == GONE else SourceDown(f"{self.path}: the watch ends: {status.message}")
        self._version = decoded(event.object, Bookmark, self.path).metadata.resource_version
        if event.type == "BOOKMARK":
            return False
        item = decoded(event.object, self._kind, self.path)
        if event.type == "DELETED":
            self.items.pop((item.metadata.namespace, item.metadata.name), None)
        else:
            self._put(self.items, item)
        return True

    @staticmethod
    def _put(items: dict[tuple[str, str], T], item: T) -> None:
        items[item.metadata.namespace, item.metadata.name] = item


def _explained(refused: Refused, verb: str, path: str) -> Exception:
    if refused.status == GONE and verb == "watch":
        return PlaceLost()
    if refused.status == 401:
        return SourceDown(f"the API server refuses the router's credentials (401): {refused}")
    if refused.status == 403:
        kind = path.rsplit("/", 1)[1]
        return SourceDown(
            f"the account may not {verb} {kind}: a Role or ClusterRole must allow list and watch: {refused}"
        )
    return refused
