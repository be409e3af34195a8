"""A router whose client certificate is renewed: the next connection to the cluster has the new one, without a word to
the router."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import trustme
import yaml

from llm_router.config.load import parse
from tests.router.edge import in_thread
from tests.router.ports import free_port
from tests.router.processes import Process, answers

COMMAND = Path(sys.executable).with_name("llm-router")
ANSWER = json.dumps(
    {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()


@dataclass
class Cluster:
    """Behind mutual TLS. ``askers`` are the names of the client certificates, one for each request for an answer."""

    ca: trustme.CA
    port: int = 0
    askers: list[str] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Cluster]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.ca.issue_cert("127.0.0.1").configure_cert(context)
        self.ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        server = await asyncio.start_server(self._converse, "127.0.0.1", 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ((_, name),) = writer.get_extra_info("peercert")["subjectAltName"]
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = [line for line in head.split("\r\n") if line.startswith("content-length:")]
                if length:
                    await reader.readexactly(int(length[0].partition(":")[2]))
                    self.askers.append(name)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
                writer.write(b"content-length: %d\r\n\r\n" % len(ANSWER) + ANSWER)
        writer.close()


def issue(ca: trustme.CA, folder: Path, name: str) -> None:
    made = ca.issue_cert(name)
    made.private_key_pem.write_to_path(folder / "client.key")
    (folder / "client.pem").write_bytes(b"".join(pem.bytes() for pem in made.cert_chain_pems))


def settings(port: int, endpoint: str) -> str:
    tls = {"caFile": "ca.pem", "certFile": "client.pem", "keyFile": "client.key"}
    cluster = {"name": "pool", "endpoint": endpoint, "type": "openai", "authType": "none", "models": [{"name": "m"}]}
    return yaml.safe_dump({"server": {"port": port}, "admin": {"port": 0}, "clusters": [cluster | {"tls": tls}]})


def test_a_renewed_client_certificate_is_that_of_the_next_connection(tmp_path: Path) -> None:
    ca, port = trustme.CA(), free_port()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    issue(ca, tmp_path, "first.example")

    def ask() -> int:
        asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
        return httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=asked, trust_env=False).status_code

    with in_thread(Cluster(ca).serving()) as cluster:
        (tmp_path / "router.yaml").write_text(settings(port, f"https://127.0.0.1:{cluster.port}"))
        with Process([COMMAND, "serve", "--config", tmp_path / "router.yaml"], tmp_path / "router.log") as process:
            process.wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
            assert [ask(), ask()] == [200, 200]
            issue(ca, tmp_path, "second.example")
            process.wait_until(lambda: "\nreloaded" in process.output)
            assert [ask(), ask()] == [200, 200]
    assert cluster.askers == ["first.example"] * 2 + ["second.example"] * 2


def test_certificates_of_clusters_are_what_a_router_is_made_from(tmp_path: Path) -> None:
    for name in ("ca.pem", "client.pem", "client.key"):
        (tmp_path / name).touch()
    loaded = parse(settings(8080, "https://127.0.0.1:8443"), str(tmp_path / "router.yaml"), {})
    assert [path.name for path in loaded.files] == ["router.yaml", "ca.pem", "client.pem", "client.key"]
