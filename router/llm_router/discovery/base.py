"""What discovery is: cluster sets as they change, whatever registry they come from.

A *source* says what one registry knows, as instances in plain data. ``Finder`` turns its answers into sets of
clusters, keeps the last good one, and is the ``Discovery`` that the router follows.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol

from msgspec import Struct

from ..config.schema import Cluster
from ..errors import RouterError


class ClusterSet(Struct, frozen=True):
    """Every cluster that there is, those of the configuration file first. A ``draining`` one finishes what it has and
    gets nothing new. ``awaited`` is true until the registry has answered for the first time."""

    clusters: tuple[Cluster, ...]
    draining: frozenset[str] = frozenset()
    awaited: bool = False


class Instance(Struct, frozen=True):
    """One cluster as a registry knows it. ``origin`` says for people what it is there; ``data`` has the keys of a
    cluster in the configuration, ``name`` and ``endpoint`` among them. ``fault`` is why there can be no such data."""

    origin: str
    data: Mapping[str, Any]
    draining: bool = False
    fault: str = ""


class Answer(Struct, frozen=True):
    """``listed`` tells a whole listing from what changes since have led to: only a listing can say that nothing is
    there any more."""

    instances: tuple[Instance, ...]
    listed: bool


class SourceDown(RouterError):
    """The registry did not answer, or not as it should: what it said before stays. Never leaves discovery.

    ``retry_after_s`` is what the registry asked for."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Source(Protocol):
    """One registry. It keeps its place: after ``SourceDown`` a new ``answers()`` goes on where the last one broke."""

    @property
    def method(self) -> str: ...

    def answers(self) -> AsyncGenerator[Answer, None]:
        """What is there now, and anew after each change; while nothing is there a listing every refresh interval.
        Never ends; raises ``SourceDown``."""
        ...

    async def aclose(self) -> None: ...


class Discovery(Protocol):
    """What the router follows."""

    @property
    def method(self) -> str: ...

    @property
    def current(self) -> ClusterSet:
        """The last good set; at first the clusters of the configuration alone."""
        ...

    @property
    def instances(self) -> tuple[Instance, ...]:
        """What the current set was made of, for a successor of the same method to start with."""
        ...

    def sets(self) -> AsyncGenerator[ClusterSet, None]:
        """Each set that differs from the one before; cancel it to end it."""
        ...

    async def aclose(self) -> None: ...
