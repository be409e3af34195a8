"""The one place that connects to a Redis or Valkey: address, authentication, TLS, timeouts, and no retries.

Whoever asks tries again himself, or does without: with their library's retries a dead server takes seconds to be
noticed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..config.schema import RedisServer
from ..errors import ConfigError, Problem

if TYPE_CHECKING:
    from redis import Redis as BlockingRedis
    from redis.asyncio import Redis

MAX_CONNECTIONS = 4
CONNECT_S = 1.0
"""For a new connection, TLS included: longer than a question may take, and only whoever asks first waits for it."""


def connect(server: RedisServer, section: str = "state") -> Redis:
    """A client with a pool of its own, not yet connected; close it with ``aclose``. ``section`` is where the
    configuration has ``server``.

    Raises ``ConfigError`` where the library is not installed or the address makes no sense to it.
    """
    try:
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as error:
        message = "Redis needs its client: pip install 'multicloud-llm-router[redis]'"
        raise ConfigError([Problem(f"{section}.backend", message)]) from error
    wait_s = float(server.timeout)
    try:
        pool = BlockingConnectionPool.from_url(
            str(server.url),
            max_connections=MAX_CONNECTIONS,
            timeout=wait_s,
            socket_timeout=2 * wait_s,  # whoever asks has a timer of his own, which is to go off first
            socket_connect_timeout=max(wait_s, CONNECT_S),
            retry=Retry(NoBackoff(), 0),
            **_options(server),
        )
    except ValueError as error:
        raise ConfigError([Problem(f"{section}.url", f"no address of a Redis: {error}")]) from error
    return Redis.from_pool(pool)


def connect_blocking(server: RedisServer) -> BlockingRedis:
    """The same for threads that may wait."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    wait_s = float(server.timeout)
    retry = Retry(NoBackoff(), 0)
    return Redis.from_url(
        str(server.url), socket_connect_timeout=wait_s, socket_timeout=wait_s, retry=retry, **_options(server)
    )


def _options(server: RedisServer) -> dict[str, Any]:
    options: dict[str, Any] = {"client_name": "llm-router"}
    options |= {"username": server.username, "password": None if server.password is None else str(server.password)}
    if server.tls is not None:
        files = {"ca_certs": server.tls.ca_file, "certfile": server.tls.cert_file, "keyfile": server.tls.key_file}
        options |= {f"ssl_{key}": str(file) for key, file in files.items() if file is not None}
    return {key: value for key, value in options.items() if value is not None}
