"""Where what replicas share lives."""

from __future__ import annotations

from typing import Annotated, Literal

from ..scalars import Count, Duration, Seconds, Secret, Text
from .base import Base
from .owners import TargetTls


class RedisServer(Base):
    """How a Redis or Valkey is reached."""

    url: Annotated[
        Secret | None,
        "redis://HOST:6379/0, with TLS rediss://HOST:6380/0, or unix:///path. It may hold user and password.",
    ] = None
    username: Annotated[Text | None, "Where the URL holds none."] = None
    password: Annotated[Secret | None, "Where the URL holds none."] = None
    tls: Annotated[TargetTls | None, "CA and client certificate, for rediss."] = None
    timeout: Annotated[Duration, "Longest wait for an answer, a connection included."] = Seconds(0.05)
    private: Annotated[bool, "Allow redis without TLS to another machine."] = False


class StateStore(RedisServer, kw_only=True):
    backend: Annotated[Literal["memory", "redis"], "memory: each process counts for itself, from its start on."] = (
        "memory"
    )
    when_down: Annotated[
        Literal["local", "deny"],
        "Without Redis: local keeps each router to its part of every limit, deny refuses whatever has a limit.",
    ] = "local"
    replicas: Annotated[
        Count | None, "How many routers share a limit while Redis is down. Default: as many as were seen last."
    ] = None
