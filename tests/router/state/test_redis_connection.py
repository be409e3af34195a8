"""How Redis is reached: with passwords, over TLS, and with a word on what is wrong."""

from __future__ import annotations

import asyncio
import builtins
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis.exceptions
import trustme

from llm_router.config.scalars import FilePath, Seconds, Secret
from llm_router.config.schema import RedisServer as Address
from llm_router.config.schema import StateStore, TargetTls
from llm_router.errors import ConfigError
from llm_router.state.redis_connection import connect
from tests.router.ports import free_port
from tests.router.redis_server import running_redis


def ping(server: Address) -> bool:
    async def main() -> Any:
        client = connect(msgspec.structs.replace(server, timeout=Seconds(5)))
        try:
            return await client.ping()
        finally:
            await client.aclose()

    return bool(asyncio.run(main()))


def test_a_password_may_stand_in_the_url_or_beside_it(tmp_path: Path) -> None:
    with running_redis(tmp_path / "redis", None, "--requirepass", "s3cret/with+odd=signs") as server:
        assert ping(Address(url=Secret(server.url), password=Secret("s3cret/with+odd=signs")))
        host = f"127.0.0.1:{server.port}"
        assert ping(Address(url=Secret(f"redis://:s3cret%2Fwith%2Bodd%3Dsigns@{host}/0")))
        with pytest.raises(redis.exceptions.AuthenticationError):
            ping(Address(url=Secret(server.url)))


def test_over_tls_the_certificate_is_checked_and_ones_own_is_shown(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    stranger.cert_pem.write_to_path(tmp_path / "stranger.pem")
    for name, certificate in (("server", authority.issue_cert("127.0.0.1")), ("client", authority.issue_cert("me"))):
        certificate.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        certificate.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
    port = free_port()
    tls = ["--tls-port", str(port), "--tls-cert-file", str(tmp_path / "server.pem")]
    tls += ["--tls-key-file", str(tmp_path / "server.key"), "--tls-ca-cert-file", str(tmp_path / "ca.pem")]
    url = Secret(f"rediss://127.0.0.1:{port}/0")

    def files(authority: str, own: str | None) -> TargetTls:
        ca_file = FilePath(tmp_path / f"{authority}.pem")
        if own is None:
            return TargetTls(ca_file=ca_file)
        return TargetTls(
            ca_file=ca_file, cert_file=FilePath(tmp_path / f"{own}.pem"), key_file=FilePath(tmp_path / f"{own}.key")
        )

    with running_redis(tmp_path / "redis", None, *tls):
        assert ping(Address(url=url, tls=files("ca", "client")))
        with pytest.raises(redis.exceptions.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            ping(Address(url=url, tls=files("stranger", "client")))
        with pytest.raises(redis.exceptions.ConnectionError):
            ping(Address(url=url, tls=files("ca", None)))


def test_without_the_client_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] == "redis":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigError, match=r"pip install 'multicloud-llm-router\[redis\]'"):
        connect(StateStore(backend="redis", url=Secret("redis://127.0.0.1")))
