"""Mutual TLS before a real gate, in both ways that a pool can have it: a real nginx does what the chart's Ingress tells
its controller, or passes TLS through to a gate that looks at certificates itself. What answers behind is scripted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme

from llm_router.api.signed_config import ListenerTls
from llm_router.config.scalars import FilePath
from tests.charts.helm import annotations_of, render
from tests.charts.pools import MINIMAL
from tests.router.edge import run
from tests.router.gate.surroundings import CHAT, Received, Upstream, upstream
from tests.router.gate.test_app import AUTHORITY, Caller, chat, config, running
from tests.router.ports import free_port
from tests.router.processes import Process

TIMEOUT_S = 1
"""In place of the chart's 610: how long a proxy waits for the next word of a stream."""
GAP_S = 0.3
EVENTS = tuple(f"data: {number}\n\n".encode() for number in range(6))

_WHOLE = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
{modules}
events {{ worker_connections 64; }}
{content}
"""
_INGRESS = """
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;
    ssl_client_certificate {folder}/ca.pem; ssl_verify_client {verify};
    client_max_body_size {body};
    location / {{
      proxy_pass {scheme}://{gate}; proxy_http_version 1.1; proxy_set_header Host $host; proxy_set_header Connection "";
      proxy_buffering {buffering}; proxy_read_timeout {read}s; proxy_send_timeout {send}s;
      proxy_ssl_trusted_certificate {folder}/ca.pem; proxy_ssl_verify on; proxy_ssl_name {host};
      {own}
    }}
  }}
}}
"""
_PASSTHROUGH = "stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass {gate}; proxy_timeout {read}s; }} }}"


@dataclass(frozen=True)
class Place:
    """Files of all who take part; one CA for servers and clients."""

    folder: Path
    authority: trustme.CA

    @property
    def tls(self) -> ListenerTls:
        pem = FilePath(self.folder / "server.pem")
        return ListenerTls(cert_file=pem, key_file=pem)

    @property
    def mutual(self) -> ListenerTls:
        pem = FilePath(self.folder / "server.pem")
        return ListenerTls(cert_file=pem, key_file=pem, client_ca_file=FilePath(self.folder / "ca.pem"))

    def client(self, of: trustme.CA | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if of is not None:
            of.issue_cert("router.example").configure_cert(context)
        return context


@pytest.fixture
def place(tmp_path: Path) -> Place:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    pair = authority.issue_cert("127.0.0.1", AUTHORITY)
    pair.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    return Place(tmp_path, authority)


def ingress(place: Place, gate: str, port: int, *, own: bool = False) -> str:
    """What the annotations of the chart's Ingress mean to nginx."""
    values = {
        "gate": {"tls": {"enabled": True, "secretName": "aws-tls"}},
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "clientCaSecret": "llm/clients",
            "timeoutSeconds": TIMEOUT_S,
        },
    }
    said = annotations_of(render("llm-server", MINIMAL, values).one("Ingress"))
    told = {name.removeprefix("nginx.ingress.kubernetes.io/"): value for name, value in said.items()}
    pem = place.folder / "server.pem"
    content = _INGRESS.format(
        folder=place.folder,
        port=port,
        gate=gate,
        host=AUTHORITY,
        verify=told["auth-tls-verify-client"] if told["auth-tls-secret"] == "llm/clients" else "off",
        scheme=told["backend-protocol"].lower(),
        buffering=told["proxy-buffering"],
        read=told["proxy-read-timeout"],
        send=told["proxy-send-timeout"],
        body=told["proxy-body-size"],
        own=f"proxy_ssl_certificate {pem}; proxy_ssl_certificate_key {pem};" if own else "",
    )
    return _WHOLE.format(folder=place.folder, modules="", content=content)


def passthrough(place: Place, gate: str, port: int) -> str:
    module = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
    assert module.exists(), "nginx passes no TLS through: sudo apt-get install libnginx-mod-stream"
    content = _PASSTHROUGH.format(port=port, gate=gate, read=TIMEOUT_S)
    return _WHOLE.format(folder=place.folder, modules=f"load_module {module};", content=content)


@contextlib.contextmanager
def running_nginx(place: Place, text: str) -> Iterator[None]:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None, "there is no nginx: sudo apt-get install nginx-light"
    file = place.folder / "nginx.conf"
    file.write_text(text)
    command: list[str | Path] = [program, "-c", file, "-e", place.folder / "error.log"]
    with Process(command, place.folder / "nginx.log") as process:
        process.wait_until(lambda: (place.folder / "nginx.pid").exists())
        yield


@dataclass
class Talk:
    """A client behind which a stream goes on only when it has read what came before."""

    place: Place
    caller: Caller
    server: Upstream
    url: str
    read: asyncio.Event

    @property
    def arrived(self) -> int:
        """Chat requests that came through the gate, which itself looks after the server with others."""
        return sum(seen.line.startswith("POST") for seen in self.server.received)

    async def stream(self, of: trustme.CA | None) -> tuple[int, list[bytes]]:
        """Status and events."""
        body = chat("tiny", stream=True)
        events = []
        async with httpx.AsyncClient(trust_env=False, verify=self.place.client(of), timeout=10) as client:
            headers = self.caller.headers("POST", CHAT, body)
            async with client.stream("POST", self.url + CHAT, content=body, headers=headers) as answer:
                async for event in answer.aiter_raw():
                    events.append(event)
                    self.read.set()
                return answer.status_code, events


async def slowly(_seen: Received, writer: asyncio.StreamWriter, read: asyncio.Event, gaps: Sequence[float]) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for event, gap_s in zip(EVENTS, gaps, strict=True):
        read.clear()
        writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        await writer.drain()
        await read.wait()
        await asyncio.sleep(gap_s)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


@contextlib.asynccontextmanager
async def talking(
    place: Place, through: str, *, tls: ListenerTls, gaps: Sequence[float] = (GAP_S,) * len(EVENTS)
) -> AsyncIterator[Talk]:
    read, port = asyncio.Event(), free_port()
    async with upstream(lambda seen, writer: slowly(seen, writer, read, gaps)) as server:
        async with running(config(server.url, tls=tls), verify=place.client(place.authority)) as caller:
            gate = caller.url.removeprefix("https://")
            own = through == "ingress with a certificate of its own"
            text = passthrough(place, gate, port) if through == "passthrough" else ingress(place, gate, port, own=own)
            with running_nginx(place, text):
                yield Talk(place, caller, server, f"https://127.0.0.1:{port}", read)


@pytest.mark.parametrize("through", ["ingress", "passthrough"])
def test_who_has_a_certificate_gets_a_stream_that_takes_longer_than_any_pause_may(place: Place, through: str) -> None:
    """Word by word: the next one is said only when the one before it was read."""

    async def scenario() -> tuple[int, list[bytes]]:
        tls = place.tls if through == "ingress" else place.mutual
        async with talking(place, through, tls=tls) as talk:
            return await talk.stream(place.authority)

    assert GAP_S * len(EVENTS) > TIMEOUT_S
    assert run(scenario()) == (200, list(EVENTS))


@pytest.mark.parametrize("stranger", [None, trustme.CA()], ids=["no certificate", "another CA's"])
def test_who_has_none_is_answered_by_the_proxy_and_never_reaches_the_gate(
    place: Place, stranger: trustme.CA | None
) -> None:
    async def scenario() -> tuple[int, int]:
        async with talking(place, "ingress", tls=place.tls) as talk:
            status, _ = await talk.stream(stranger)
            return status, talk.arrived

    assert run(scenario()) == (400, 0)


@pytest.mark.parametrize("stranger", [None, trustme.CA()], ids=["no certificate", "another CA's"])
def test_where_tls_is_passed_through_the_handshake_refuses(place: Place, stranger: trustme.CA | None) -> None:
    async def scenario() -> int:
        async with talking(place, "passthrough", tls=place.mutual) as talk:
            with pytest.raises(httpx.TransportError):
                await talk.stream(stranger)
            return talk.arrived

    assert run(scenario()) == 0


def test_the_proxys_limit_is_in_force_for_a_stream_that_says_nothing_more(place: Place) -> None:
    async def scenario() -> int:
        gaps = (0.0, 2.0 * TIMEOUT_S, *(0.0 for _ in EVENTS[2:]))
        async with talking(place, "ingress", tls=place.tls, gaps=gaps) as talk:
            with pytest.raises(httpx.RemoteProtocolError):
                await talk.stream(place.authority)
            return talk.arrived

    assert run(scenario()) == 1


@pytest.mark.parametrize(("through", "status"), [("ingress", 502), ("ingress with a certificate of its own", 200)])
def test_a_gate_that_asks_for_certificates_asks_a_proxy_that_ends_tls_for_its_own(
    place: Place, through: str, status: int
) -> None:
    async def scenario() -> int:
        async with talking(place, through, tls=place.mutual, gaps=(0.0,) * len(EVENTS)) as talk:
            return (await talk.stream(place.authority))[0]

    assert run(scenario()) == status
