"""The gate's own configuration file: one gate, one llama-server, one target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from ..api.serving import parse_address
from ..api.signed_config import ListenerTls, SigningKey, authority_problems, key_bytes, key_problems, tls_problems
from ..config.checks.listeners import unasked_token
from ..config.checks.state import address_faults, backend_faults
from ..config.hosts import is_loopback
from ..config.scalars import Bytes, Count, Duration, Name, Pause, Seconds, Secret, Size, Text
from ..config.schema import Base, RedisServer
from ..errors import ConfigError, Problem


class Replay(RedisServer, kw_only=True):
    backend: Annotated[
        Literal["memory", "redis"], "Where used nonces are kept: memory is for one gate, redis for those of a pool."
    ] = "memory"
    max_entries: Annotated[Count, "Nonces kept at once, in Redis those of the pool; one more is answered 503."] = (
        100_000
    )


class GateConfig(Base):
    """The whole of ``gate.yaml``."""

    upstream: Annotated[Text, "URL of llama-server on this host's loopback interface."]
    target: Annotated[Name, "The cluster's name: what X-LLMR-Target must say."]
    authority: Annotated[Text, "Host of the cluster's endpoint as the router has it, with a port but 80 and 443."]
    keys: Annotated[tuple[SigningKey, ...], Meta(min_length=1), "Active keys: one, or two while they rotate."]
    listen: Annotated[Text, "host:port of the signed listener."] = "127.0.0.1:8443"
    upstream_api_key: Annotated[Secret | None, "The key that llama-server asks for."] = None
    status_url: Annotated[
        Text | None, "URL of the exporter's /cluster/status on loopback; without it the gate measures itself."
    ] = None
    replay: Replay = Replay()
    max_body: Annotated[Size, "Largest request body; a larger one is answered 413."] = Bytes(5 * 1024 * 1024)
    header_timeout: Annotated[Duration, "Time a client has to send the request's header."] = Seconds(10)
    read_timeout: Annotated[Duration, "Time a client has to send the whole request."] = Seconds(30)
    idle_timeout: Annotated[Duration, "Time a connection without a request stays open."] = Seconds(30)
    drain_delay: Annotated[
        Pause, "Time after SIGTERM in which requests are still taken while /readyz says that the gate drains."
    ] = Seconds(0)
    drain_timeout: Annotated[Duration, "Time that answers under way then have to finish."] = Seconds(120)
    tls: Annotated[ListenerTls | None, "Serve HTTPS, with clientCaFile mutual TLS."] = None
    metrics: Annotated[
        Text | None, "host:port of the unsigned listener for /metrics, /livez and /readyz; without it there is none."
    ] = None
    metrics_token: Annotated[
        Secret | None, "What that listener demands for /metrics as Authorization: Bearer; without it nothing."
    ] = None

    @property
    def key_bytes(self) -> Mapping[str, bytes]:
        """The HMAC keys by id. Raises ``ValueError`` where ``check`` finds a problem."""
        return key_bytes(self.keys)


def check(config: GateConfig) -> None:
    """Raises ``ConfigError`` with everything that the types alone do not catch."""
    problems = [*_addresses(config), *key_problems(config.keys), *tls_problems(config.tls), *_replay(config.replay)]
    if problems:
        raise ConfigError(problems)


def _addresses(config: GateConfig) -> Iterator[Problem]:
    for path, address in (("listen", config.listen), ("metrics", config.metrics)):
        try:
            if address is not None:
                parse_address(address)
        except ValueError as error:
            yield Problem(path, str(error))
    if unasked := unasked_token(config.metrics, config.metrics_token):
        yield Problem("metricsToken", unasked)
    if not _loopback_url(config.upstream) or urlsplit(config.upstream).path not in ("", "/"):
        yield Problem("upstream", "must be llama-server's URL on this host's loopback, like http://127.0.0.1:8081")
    if config.status_url is not None and not _loopback_url(config.status_url):
        yield Problem("statusUrl", "must be a URL on this host's loopback, like http://127.0.0.1:9402/cluster/status")
    yield from authority_problems(config.authority)


def _replay(replay: Replay) -> Iterator[Problem]:
    for path, message in (*backend_faults(replay, replay.backend), *address_faults(replay)):
        yield Problem(".".join(("replay", *path)), message)


def _loopback_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is none
    except ValueError:
        return False
    return parts.scheme == "http" and "@" not in parts.netloc and is_loopback(parts.hostname or "")
