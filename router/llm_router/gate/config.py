"""The gate's own configuration file: one gate, one llama-server, one target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from ..api.serving import parse_address
from ..config.hosts import is_loopback
from ..config.scalars import Bytes, Count, Duration, FilePath, Name, Pause, Seconds, Secret, Size, Text
from ..config.schema import Base
from ..config.secrets import weakness
from ..errors import ConfigError, Problem
from ..upstream.signing import authority_of, decode_secret

KeyId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        description="1 to 128 letters, digits, dots, hyphens or underscores, starting with a letter or digit",
    ),
]


class GateTls(Base):
    cert_file: Annotated[FilePath, "Certificate chain in PEM."]
    key_file: Annotated[FilePath, "Private key in PEM."]
    client_ca_file: Annotated[FilePath | None, "Who may connect: clients with a certificate of these CAs, in PEM."] = (
        None
    )


class GateKey(Base):
    id: Annotated[KeyId, "What signatures name it by; by custom the target's name, a dot and a number."]
    secret: Annotated[Secret, "Base64 of at least 32 random bytes: openssl rand -base64 32."]


class Replay(Base):
    backend: Annotated[Literal["memory", "redis"], "Where used nonces are kept. redis is not yet available."] = "memory"
    url: Annotated[Secret | None, "URL of the shared store, for redis."] = None
    max_entries: Annotated[Count, "Nonces kept at once; when they are full, requests are answered 503."] = 100_000


class GateConfig(Base):
    """The whole of ``gate.yaml``."""

    upstream: Annotated[Text, "URL of llama-server on this host's loopback interface."]
    target: Annotated[Name, "The cluster's name: what X-LLMR-Target must say."]
    authority: Annotated[Text, "Host of the cluster's endpoint as the router has it, with a port but 80 and 443."]
    keys: Annotated[tuple[GateKey, ...], Meta(min_length=1), "Active keys: one, or two while they rotate."]
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
    tls: Annotated[GateTls | None, "Serve HTTPS, with clientCaFile mutual TLS."] = None
    metrics: Annotated[Text | None, "host:port of the unsigned listener for /metrics; without it there is none."] = None

    @property
    def key_bytes(self) -> dict[str, bytes]:
        """The HMAC keys by id. Raises ``ValueError`` where ``check`` finds a problem."""
        return {key.id: decode_secret(key.secret) for key in self.keys}


def check(config: GateConfig) -> None:
    """Raises ``ConfigError`` with everything that the types alone do not catch."""
    problems = [*_addresses(config), *_keys(config)]
    if config.replay.backend == "redis":
        message = "redis is not yet available: use memory, and one gate process for each llama-server"
        problems.append(Problem("replay.backend", message))
    if problems:
        raise ConfigError(problems)


def _addresses(config: GateConfig) -> Iterator[Problem]:
    for path, address in (("listen", config.listen), ("metrics", config.metrics)):
        try:
            if address is not None:
                parse_address(address)
        except ValueError as error:
            yield Problem(path, str(error))
    if not _loopback_url(config.upstream) or urlsplit(config.upstream).path not in ("", "/"):
        yield Problem("upstream", "must be llama-server's URL on this host's loopback, like http://127.0.0.1:8081")
    if config.status_url is not None and not _loopback_url(config.status_url):
        yield Problem("statusUrl", "must be a URL on this host's loopback, like http://127.0.0.1:9402/cluster/status")
    try:
        plain = authority_of(f"https://{config.authority}")
    except ValueError:
        plain = ""
    if plain != config.authority:
        known = plain if plain and "/" not in config.authority else "the endpoint's host, its port if not 80 or 443"
        yield Problem("authority", f"must be what the router signs, in lower case: {known}")


def _loopback_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is none
    except ValueError:
        return False
    return parts.scheme == "http" and "@" not in parts.netloc and is_loopback(parts.hostname or "")


def _keys(config: GateConfig) -> Iterator[Problem]:
    ids: dict[str, int] = {}
    secrets: dict[bytes, int] = {}
    for index, key in enumerate(config.keys):
        if ids.setdefault(key.id, index) != index:
            yield Problem(f"keys[{index}].id", f"keys[{ids[key.id]}] has the same id: give each key its own")
        weak = weakness(key.secret, "environment")
        try:
            secret = decode_secret(key.secret)
        except ValueError as error:
            yield Problem(f"keys[{index}].secret", weak or str(error))
            continue
        if weak or len(set(secret)) == 1:
            yield Problem(f"keys[{index}].secret", weak or "not random: make one with openssl rand -base64 32")
        if secrets.setdefault(secret, index) != index:
            message = f"keys[{secrets[secret]}] has the same secret: a new key needs a new one"
            yield Problem(f"keys[{index}].secret", message)
