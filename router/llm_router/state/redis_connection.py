"""The one place that connects to a Redis or Valkey: address, authentication, TLS, timeouts, and no retries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..config.schema import RedisServer
from ..errors import ConfigError, Problem

if TYPE_CHECKING:
    from redis.asyncio import Redis

MAX_CONNECTIONS = 4
CONNECT_S = 1.0
"""For a new connection, TLS included: longer than a question may take, and only whoever asks first waits for it."""


def connect(server: RedisServer, *, timeout_s: float | None = None, max_connections: int = MAX_CONNECTIONS) -> Redis:
    """A client with a pool of its own, not yet connected; close it with ``aclose``. ``timeout_s`` instead of the
    server's own is for who may wait longer.

    It never tries again by itself: with its library's default retries a dead server takes seconds to be noticed. Raises
    ``ConfigError`` where the library is not installed or the address makes no sense to it.
    """
    try:
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as error:
        message = "Redis needs its client: pip install 'multicloud-llm-router[redis]'"
        raise ConfigError([Problem("state.backend", message)]) from error
    wait_s = float(server.timeout if timeout_s is None else timeout_s)
    try:
        pool = BlockingConnectionPool.from_url(
            str(server.url),
            max_connections=max_connections,
            timeout=wait_s,
            socket_timeout=2 * wait_s,  # whoever asks has a timer of his own, which is to go off first
            socket_connect_timeout=max(wait_s, CONNECT_S),
            retry=Retry(NoBackoff(), 0),
            client_name="llm-router",
            **_credentials(server),
            **_tls(server),
        )
    except ValueError as error:
        raise ConfigError([Problem("state.url", f"no address of a Redis: {error}")]) from error
    return Redis.from_pool(pool)


def _credentials(server: RedisServer) -> dict[str, Any]:
    stated = {"username": server.username, "password": None if server.password is None else str(server.password)}
    return {key: value for key, value in stated.items() if value is not None}


def _tls(server: RedisServer) -> dict[str, Any]:
    if server.tls is None:
        return {}
    files = {
        "ssl_ca_certs": server.tls.ca_file,
        "ssl_certfile": server.tls.cert_file,
        "ssl_keyfile": server.tls.key_file,
    }
    return {key: str(file) for key, file in files.items() if file is not None}
