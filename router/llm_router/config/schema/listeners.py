"""Where the router listens, and who may ask."""

from __future__ import annotations

from typing import Annotated

from ..scalars import Bytes, Count, Duration, FilePath, Pause, Port, Seconds, Secret, Size, Text
from .base import Base


class ServerTls(Base):
    cert_file: Annotated[FilePath, "Certificate chain in PEM."]
    key_file: Annotated[FilePath, "Private key in PEM."]


class Server(Base):
    host: Annotated[Text, "Address of the public listener. Anything but loopback needs access.apiKeysFile."] = (
        "127.0.0.1"
    )
    port: Annotated[Port, "Port of the public listener; 0 takes a free one."] = 8080
    header_timeout: Annotated[Duration, "Time a client has to send the request's header."] = Seconds(10)
    read_timeout: Annotated[Duration, "Time a client has to send the whole request."] = Seconds(30)
    write_timeout: Annotated[Duration, "Time an answer may take to be written."] = Seconds(600)
    idle_timeout: Annotated[Duration, "Time a connection without a request stays open."] = Seconds(30)
    drain_delay: Annotated[
        Pause, "Time after SIGTERM in which requests are still taken while /readyz says that the router drains."
    ] = Seconds(0)
    drain_timeout: Annotated[Duration, "Time that answers under way then have to finish."] = Seconds(120)
    max_requests: Annotated[
        Count,
        "Chat requests at a time, of each worker. More get 503; the last 5 and 15 % are for what is critical.",
    ] = 512
    max_body: Annotated[Size, "Largest request body; a larger one is answered 413."] = Bytes(4 * 1024 * 1024)
    watch_config: Annotated[bool, "Reload when this file, one of keys or a certificate of a cluster's tls changes."] = (
        True
    )
    workers: Annotated[Count, "Worker processes that share the port, one a core; each is a replica."] = 1
    tls: Annotated[ServerTls | None, "Serve HTTPS."] = None


class Admin(Base):
    host: Annotated[Text, "Address of the admin listener. Anything but loopback needs passwordHash and tls."] = (
        "127.0.0.1"
    )
    port: Annotated[Port, "Port of the admin listener; 0 takes a free one."] = 9091
    password_hash: Annotated[
        Secret | None,
        "Hash of the password that opens the admin listener (llm-router keys password). Without it nobody is asked.",
    ] = None
    keys_file: Annotated[
        FilePath | None,
        "File of the keys (llm-router keys create) that programs show to the admin listener instead of a password.",
    ] = None
    tls: Annotated[ServerTls | None, "Serve HTTPS."] = None
    metrics: Annotated[
        Text | None, "host:port of a further listener for /metrics alone, which others may reach; without it none."
    ] = None
    metrics_token: Annotated[
        Secret | None, "What that listener demands as Authorization: Bearer; without it everybody there may read."
    ] = None


class Access(Base):
    api_keys_file: Annotated[
        FilePath | None,
        "File of API key digests (llm-router keys create). Without it the public listener is loopback only.",
    ] = None
