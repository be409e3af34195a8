"""Configurations that nobody should serve with, each one mistake away from a sound one: what is changed, where the
refusal points, and what it says."""

from __future__ import annotations

import base64
import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import click.testing
import pytest
import trustme
import yaml

from llm_router import router_process
from llm_router.api.serving import Site
from llm_router.cli import main
from llm_router.exporter import app as exporter_app
from llm_router.gate import app as gate_app
from llm_router.telemetry import logging as router_logging
from tests.router.config.environment import ENV as ROUTER_ENV
from tests.router.config.environment import gate_key
from tests.router.gate.test_config import ENV as GATE_ENV
from tests.router.gate.test_config import EXAMPLE as GATE

REFUSED = 78
EVERYWHERE = "0.0.0.0"  # noqa: S104

ENV = {
    **GATE_ENV,
    **ROUTER_ENV,
    "DEMO_PASSWORD": "demo123",
    "ZEROS": base64.b64encode(bytes(32)).decode(),
    "NEW_KEY": gate_key(5),
}
CLUSTER = {"name": "aws", "endpoint": "https://aws.llm.example.com", "sharedSecret": "${AWS_GATE_KEY}"}
OTHER = {"name": "gcp", "endpoint": "https://gcp.llm.example.com", "sharedSecret": "${GCP_GATE_KEY}"}
PROVIDER = {"name": "openai", "type": "openai", "apiKey": "${OPENAI_API_KEY}", "models": ["gpt-5.4-mini"]}
ROUTER: dict[str, Any] = {
    "server": {"host": EVERYWHERE, "port": 0},
    "admin": {"port": 0},
    "access": {"apiKeysFile": "keys.yaml"},
    "clusters": [CLUSTER, OTHER],
    "externalProviders": [PROVIDER],
}
EXPORTER: dict[str, Any] = {
    "pool": "aws-us-west-2",
    "listen": "127.0.0.1:0",
    "price": {"usdPerHour": 0.2},
    "upstreams": [{"url": "http://127.0.0.1:8081"}],
    "status": {
        "listen": f"{EVERYWHERE}:0",
        "authority": "aws.llm.example.com",
        "keys": [{"id": "aws-us-west-2.1", "secret": "${GATE_KEY}"}],
    },
}
SOUND: Mapping[str, dict[str, Any]] = {
    "serve": ROUTER,
    "gate": GATE | {"listen": f"{EVERYWHERE}:0", "metrics": "127.0.0.1:0"},
    "exporter": EXPORTER,
}
"""By command. The router and the signed listeners are open to everybody, so that nothing is waved through because only
this machine could reach them."""


class Insecure(NamedTuple):
    command: str
    place: str
    """Of the changed value, with dots; the index of a list as a number."""
    value: Any
    path: str
    """What the refusal points at."""
    words: str
    """What it says among others."""


REMOVED = object()


def router(place: str, value: Any, path: str, words: str) -> Insecure:
    return Insecure("serve", place, value, path, words)


def gate(place: str, value: Any, path: str, words: str) -> Insecure:
    return Insecure("gate", place, value, path, words)


def exporter(place: str, value: Any, path: str, words: str) -> Insecure:
    return Insecure("exporter", place, value, path, words)


INSECURE: Mapping[str, Insecure] = {
    # Who may ask.
    "no API keys": router("access", REMOVED, "server.host", "llm-router keys create"),
    "API keys misspelt": router("access", {"apiKeyFile": "keys.yaml"}, "access.apiKeyFile", "apiKeysFile"),
    "API keys not there": router("access.apiKeysFile", "none.yaml", "access.apiKeysFile", "there is no file"),
    "API keys in plain text": router("access.apiKeysFile", "plain.yaml", "keys[0].sha256", "llm-router keys create"),
    "API keys that anybody may change": router("access.apiKeysFile", "open.yaml", "access.apiKeysFile", "chmod"),
    "admin for everybody": router("admin.host", EVERYWHERE, "admin.host", "loopback"),
    "admin by a password in plain text": router("admin.passwordHash", "demo123", "admin.passwordHash", "hash"),
    "admin keys that nobody is asked for": router("admin.keysFile", "keys.yaml", "admin.keysFile", "passwordHash"),
    "admin keys that anybody may change": router(
        "admin", {"port": 0, "passwordHash": "${ADMIN_HASH}", "keysFile": "open.yaml"}, "admin.keysFile", "chmod"
    ),
    "a key that stands twice": router("", "server: {host: '::'}\nserver: {port: 0}\n", "server", "twice"),
    "region by the caller's word": router(
        "router", {"clientRegionHeader": "X-LLM-Region"}, "router.clientRegionHeader", "callers set this"
    ),
    "TLS without its key": router("server.tls", {"certFile": "keys.yaml"}, "server.tls.keyFile", "missing"),
    "a certificate that is none": router(
        "server.tls", {"certFile": "keys.yaml", "keyFile": "keys.yaml"}, "server.tls", "cannot be used"
    ),
    "a certificate that has expired": router(
        "server.tls", {"certFile": "expired.pem", "keyFile": "expired.pem"}, "server.tls", "has expired"
    ),
    # Secrets.
    "the placeholder of the documents": router(
        "clusters.0.sharedSecret", "your-shared-secret", "clusters[0].sharedSecret", "placeholder"
    ),
    "a password of demonstrations": router(
        "externalProviders.0.apiKey", "${DEMO_PASSWORD}", "externalProviders[0].apiKey", "placeholder"
    ),
    "a secret in the file": router(
        "externalProviders.0.apiKey", ENV["OPENAI_API_KEY"], "externalProviders[0].apiKey", "stands in the file"
    ),
    "a short API key": router("externalProviders.0.apiKey", "${SHORT}", "externalProviders[0].apiKey", "shorter"),
    "an empty API key": router("externalProviders.0.apiKey", "${EMPTY}", "externalProviders[0].apiKey", "is empty"),
    "a key that would end its header": router(
        "externalProviders.0.apiKey", "${TWO_LINES}", "externalProviders[0].apiKey", "line break"
    ),
    "a gate's key of 24 bytes": router(
        "clusters.0.sharedSecret", "${SHORT_KEY}", "clusters[0].sharedSecret", "32 are needed"
    ),
    "a gate's key that is a pass phrase": router(
        "clusters.0.sharedSecret", "${NO_BASE64}", "clusters[0].sharedSecret", "not base64"
    ),
    "a gate's key of zeros": router("clusters.0.sharedSecret", "${ZEROS}", "clusters[0].sharedSecret", "not random"),
    "one key for two gates": router(
        "clusters.0.sharedSecret", "${GCP_GATE_KEY}", "clusters[1].sharedSecret", "each cluster needs its own"
    ),
    "a gate without a key": router("clusters.0.sharedSecret", REMOVED, "clusters[0].sharedSecret", "missing"),
    "a provider without a key": router("externalProviders.0.apiKey", REMOVED, "externalProviders[0].apiKey", "missing"),
    "a credential among the headers": router(
        "externalProviders.0.headers",
        {"Authorization": "Bearer x"},
        "externalProviders[0].headers.Authorization",
        "apiKey",
    ),
    # Where requests go.
    "a cluster that asks for nothing": router(
        "clusters.0",
        {"name": "aws", "endpoint": "https://aws.example.com", "authType": "none"},
        "clusters[0].authType",
        "loopback only",
    ),
    "a cluster without TLS": router(
        "clusters.0.endpoint", "http://aws.llm.example.com", "clusters[0].endpoint", "plain http"
    ),
    "a provider without TLS": router(
        "externalProviders.0.baseUrl", "http://api.openai.com/v1", "externalProviders[0].baseUrl", "plain http"
    ),
    "a cluster that is the metadata service": router(
        "clusters.0.endpoint", "https://169.254.169.254", "clusters[0].endpoint", "no target"
    ),
    "the metadata service as one number": router(
        "externalProviders.0.baseUrl", "https://2852039166/v1", "externalProviders[0].baseUrl", "four decimal numbers"
    ),
    "the metadata service by name, said to be private": router(
        "clusters.0",
        CLUSTER | {"endpoint": "http://metadata.google.internal", "private": True},
        "clusters[0].endpoint",
        "no target",
    ),
    "credentials in a URL": router(
        "clusters.0.endpoint", "https://user:password@aws.llm.example.com", "clusters[0].endpoint", "credentials"
    ),
    "a key in a URL": router(
        "externalProviders.0.baseUrl", "https://llm.example.com/v1?key=x", "externalProviders[0].baseUrl", "query"
    ),
    "a client certificate without its key": router(
        "clusters.0.tls", {"certFile": "keys.yaml"}, "clusters[0].tls.keyFile", "missing"
    ),
    # Where the router keeps and finds things.
    "shared state without TLS": router(
        "state", {"backend": "redis", "url": "redis://10.0.0.7:6379/0"}, "state.url", "rediss"
    ),
    "shared state by a placeholder": router(
        "state",
        {"backend": "redis", "url": "rediss://10.0.0.7:6379/0", "password": "${DEMO_PASSWORD}"},
        "state.password",
        "placeholder",
    ),
    "a ledger in Redis without TLS": router(
        "ledger", {"url": "redis://10.0.0.7:6379/0", "retention": "30d"}, "ledger.url", "rediss"
    ),
    "a ledger in a Redis elsewhere, whatever the query says": router(
        "ledger", {"url": "redis://db.example.com/0?host=localhost", "retention": "30d"}, "ledger.url", "rediss"
    ),
    "a ledger in PostgreSQL at another address than the host's": router(
        "ledger", {"url": "postgresql://router@localhost/ledger?hostaddr=10.1.2.3"}, "ledger.url", "sslmode"
    ),
    "a ledger in PostgreSQL without TLS": router(
        "ledger", {"url": "postgresql://router@db.example.com/ledger"}, "ledger.url", "sslmode"
    ),
    "a ledger with its password in the file": router(
        "ledger", {"url": "postgresql://router:0a1b2c3d4e5f6g7h@127.0.0.1/ledger"}, "ledger.url", "stands in the file"
    ),
    "a registry without TLS": router(
        "discovery",
        {"method": "consul", "consul": {"address": "http://consul.example.com:8500", "service": "llm"}},
        "discovery.consul.address",
        "plain http",
    ),
    "a Kubernetes token over plain http": router(
        "discovery",
        {"method": "kubernetes", "kubernetes": {"apiServer": "http://10.0.0.1", "tokenFile": "keys.yaml"}},
        "discovery.kubernetes.apiServer",
        "token",
    ),
    "an object in YAML": router("", "server: !!python/object/apply:os.system [id]\n", "config.yaml:", "the tag"),
    # The gate.
    "a gate in front of another machine": gate("upstream", "http://10.0.0.7:8081", "upstream", "loopback"),
    "a gate that believes another machine": gate(
        "statusUrl", "http://10.0.0.7:9402/cluster/status", "statusUrl", "loopback"
    ),
    "a gate without keys": gate("keys", [], "keys", "at least 1"),
    "a gate with a placeholder": gate("keys.0.secret", "changeme", "keys[0].secret", "placeholder"),
    "a gate with a key of 24 bytes": gate("keys.0.secret", "${SHORT_KEY}", "keys[0].secret", "32 are needed"),
    "a gate with a key of zeros": gate("keys.0.secret", "${ZEROS}", "keys[0].secret", "not random"),
    "a gate that rotates to the same key": gate("keys.1.secret", "${GATE_KEY}", "keys[1].secret", "same secret"),
    "a gate that names clients and asks for no certificate": gate(
        "tls",
        {"certFile": "keys.yaml", "keyFile": "keys.yaml", "clientNames": ["router"]},
        "tls.clientNames",
        "clientCaFile",
    ),
    "a gate of another profile": gate("mode", "simple1", "mode", "unknown key"),
    "nonces without TLS": gate(
        "replay", {"backend": "redis", "url": "redis://10.0.0.7:6379/0"}, "replay.url", "rediss"
    ),
    "a gate whose certificate has expired": gate(
        "tls", {"certFile": "expired.pem", "keyFile": "expired.pem"}, "tls", "has expired"
    ),
    # The exporter.
    "an unsigned exporter for everybody": exporter("listen", f"{EVERYWHERE}:0", "listen", "unsigned"),
    "a status with a placeholder": exporter(
        "status.keys.0.secret", "your-shared-secret", "status.keys[0].secret", "placeholder"
    ),
    "an exporter that signs with zeros": exporter(
        "upstreams.0.gate",
        {"id": "a.1", "secret": "${ZEROS}", "authority": "a.example.com"},
        "upstreams[0].gate.secret",
        "not random",
    ),
    "an exporter with credentials in a URL": exporter(
        "upstreams.0.url", "http://user:password@127.0.0.1:8081", "upstreams[0].url", "without credentials"
    ),
    "an exporter's token over plain http": exporter(
        "kubernetes",
        {"nodeSelector": "pool=a", "apiServer": "http://10.0.0.1", "tokenFile": "keys.yaml"},
        "kubernetes.apiServer",
        "token",
    ),
    "prices asked for without TLS": exporter(
        "price",
        {"cloud": "gcp", "instanceType": "e2-standard-4", "region": "us-central1", "live": {"url": "http://x.example"}},
        "price.live.url",
        "plain http",
    ),
}


def changed(config: Mapping[str, Any], place: str, value: Any) -> str:
    """``config`` with ``value`` at ``place``, in YAML; without a place the value is text that follows the rest."""
    config = copy.deepcopy(dict(config))
    if not place:
        return yaml.safe_dump({name: section for name, section in config.items() if name != "server"}) + str(value)
    *to, last = place.split(".")
    section: Any = config
    for key in to:
        section = section[int(key)] if key.isdigit() else section[key]
    name = int(last) if last.isdigit() else last
    if value is REMOVED:
        del section[name]
    else:
        section[name] = value
    return yaml.safe_dump(config)


class Started(Exception):
    """It would serve now."""


@contextmanager
def instead_of_serving() -> Iterator[None]:
    """Programs do all that they do at their start, and then raise ``Started``."""

    async def started(sites: Sequence[Site], **_: Any) -> None:
        for site in sites:
            site.socket.close()
        raise Started

    with pytest.MonkeyPatch.context() as patch:
        for program in (router_process, gate_app, exporter_app):
            patch.setattr(program, "serve_sites", started)
        patch.setattr(router_logging, "configure_logging", lambda _level: None)
        yield


@cache
def _expired() -> bytes:
    """A key, and a certificate that was good until yesterday."""
    now, day = datetime.now(UTC), timedelta(days=1)
    made = trustme.CA().issue_cert("llm.example.com", not_before=now - 2 * day, not_after=now - day)
    return made.private_key_and_cert_chain_pem.bytes()


def start(command: str, text: str, folder: Path) -> click.testing.Result:
    """What became of ``llm-router COMMAND`` with this configuration; ``Started`` is its exception if nobody minded."""
    (folder / "keys.yaml").write_text("keys: []\n")
    (folder / "plain.yaml").write_text("keys: [{name: a, sha256: llmr_in_plain_text}]\n")
    (folder / "open.yaml").write_text("keys: []\n")
    (folder / "open.yaml").chmod(0o666)
    (folder / "expired.pem").write_bytes(_expired())
    config = folder / "config.yaml"
    config.write_text(text)
    with instead_of_serving():
        return click.testing.CliRunner(env=cast("dict[str, str | None]", {**os.environ, **ENV})).invoke(
            main, [command, "--config", str(config)]
        )


def tried(insecure: Insecure, folder: Path) -> click.testing.Result:
    return start(insecure.command, changed(SOUND[insecure.command], insecure.place, insecure.value), folder)


def is_refusal(result: click.testing.Result, insecure: Insecure) -> bool:
    """With its place and a remedy, before anything was served."""
    lines = [line for line in result.stderr.splitlines() if insecure.path in line]
    return result.exit_code == REFUSED and any(insecure.words in line for line in lines)
