"""TLS of the gate as a process serves it: mutual, by CA and by name, renewed while it runs."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import structs

from llm_router.api.signed_config import ListenerTls
from llm_router.api.tls import LOOK_INTERVAL_S, RenewedTls
from llm_router.config.scalars import FilePath, Secret
from llm_router.config.schema import ServerTls
from llm_router.errors import ConfigError
from llm_router.gate.app import serve
from tests.router.edge import run, serving
from tests.router.gate.test_app import config, running
from tests.router.llama import Llama
from tests.router.ports import free_port

DAY = timedelta(days=1)
ROUTER = "router.example"
SPIFFE = "spiffe://example/llm-router"


@pytest.fixture(scope="module")
def right() -> trustme.CA:
    """The CA that both sides trust."""
    return trustme.CA()


@pytest.fixture(scope="module")
def other() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(tmp_path: Path, right: trustme.CA) -> ListenerTls:
    """Files of a gate; ``renew`` writes them anew."""
    tls = ListenerTls(
        cert_file=FilePath(tmp_path / "gate.pem"),
        key_file=FilePath(tmp_path / "gate.key"),
        client_ca_file=FilePath(tmp_path / "ca.pem"),
    )
    renew(tls, right, right)
    return tls


def renew(tls: ListenerTls, server_ca: trustme.CA, *client_cas: trustme.CA, first_day: int = 0) -> None:
    """A new certificate of the gate's, and the CAs whose clients it lets in from now on. ``first_day`` is the first of
    its two, counted from yesterday."""
    begins_at = datetime.now(UTC) + timedelta(days=first_day - 1)
    certificate = server_ca.issue_cert("127.0.0.1", not_before=begins_at, not_after=begins_at + timedelta(days=2))
    certificate.private_key_pem.write_to_path(tls.key_file)
    Path(tls.cert_file).write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    assert tls.client_ca_file is not None
    Path(tls.client_ca_file).write_bytes(b"".join(ca.cert_pem.bytes() for ca in client_cas))


def client(server_ca: trustme.CA, client_ca: trustme.CA | None, name: str = ROUTER) -> ssl.SSLContext:
    context = ssl.create_default_context()
    server_ca.configure_trust(context)
    if client_ca is not None:
        client_ca.issue_cert(name).configure_cert(context)
    return context


def livez(tls: ListenerTls, context: ssl.SSLContext) -> int:
    """The answer of a gate with this TLS; raises ``httpx.TransportError`` where there is none."""

    async def scenario() -> int:
        async with running(config("http://127.0.0.1:1", tls=tls), verify=context) as caller:
            return (await caller.ask("GET", "/livez")).status_code

    return run(scenario())


# ---------------------------------------------------------------- who is let in


def test_with_mutual_tls_only_a_client_of_the_right_ca_gets_an_answer(
    llama: Llama, tls: ListenerTls, right: trustme.CA, other: trustme.CA
) -> None:
    async def scenario(client_ca: trustme.CA | None) -> int:
        settings = config(llama.url, tls=tls, upstream_api_key=Secret(llama.api_key))
        async with running(settings, verify=client(right, client_ca)) as caller:
            return (await caller.ask("GET", "/v1/models")).status_code

    assert run(scenario(right)) == 200
    for stranger in (None, other):
        with pytest.raises(httpx.TransportError):
            run(scenario(stranger))


@pytest.mark.parametrize("first_day", [-2, 1], ids=["expired", "not yet valid"])
def test_a_client_certificate_out_of_its_time_is_refused(tls: ListenerTls, right: trustme.CA, first_day: int) -> None:
    def issued(first_day: int) -> ssl.SSLContext:
        begins = datetime.now(UTC) + first_day * DAY
        context = client(right, None)
        right.issue_cert(ROUTER, not_before=begins, not_after=begins + DAY).configure_cert(context)
        return context

    assert livez(tls, issued(0)) == 200
    with pytest.raises(httpx.TransportError):
        livez(tls, issued(first_day))


def with_usage(ca: trustme.CA, folder: Path, usage: x509.ObjectIdentifier, *names: x509.GeneralName) -> ssl.SSLContext:
    """A client of ``ca``'s whose certificate is for ``usage`` and these names, and for nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    ca_key = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)
    ca_certificate = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ROUTER)]))
        .issuer_name(ca_certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - DAY)
        .not_valid_after(datetime.now(UTC) + DAY)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names or [x509.DNSName(ROUTER)]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = folder / "client.pem"
    plain = serialization.NoEncryption()
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    context = client(ca, None)
    context.load_cert_chain(pem)
    return context


def test_a_certificate_for_servers_is_none_for_a_client(tls: ListenerTls, right: trustme.CA, tmp_path: Path) -> None:
    assert livez(tls, with_usage(right, tmp_path, ExtendedKeyUsageOID.CLIENT_AUTH)) == 200
    with pytest.raises(httpx.TransportError):
        livez(tls, with_usage(right, tmp_path, ExtendedKeyUsageOID.SERVER_AUTH))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_of_the_trusted_clients_only_those_with_a_name_of_the_list_get_an_answer(
    tls: ListenerTls, right: trustme.CA, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """The subject's common name counts for nothing: it is ``router.example`` in the last of the certificates."""
    named = structs.replace(tls, client_names=("llm.example", ROUTER, SPIFFE))

    def of(name: x509.GeneralName) -> ssl.SSLContext:
        context = with_usage(right, tmp_path, ExtendedKeyUsageOID.CLIENT_AUTH, name)
        context.maximum_version = version
        return context

    assert livez(named, of(x509.DNSName(ROUTER))) == 200
    assert livez(named, of(x509.UniformResourceIdentifier(SPIFFE))) == 200
    for name in (
        x509.DNSName("evil.example"),
        x509.DNSName(f"x.{ROUTER}"),
        x509.UniformResourceIdentifier(f"{SPIFFE}/x"),
        x509.RFC822Name(f"a@{ROUTER}"),
    ):
        with pytest.raises(httpx.TransportError):
            livez(named, of(name))


def test_whom_the_list_refuses_is_counted(tls: ListenerTls, right: trustme.CA) -> None:
    named = structs.replace(tls, client_names=(ROUTER,))
    metrics = f"127.0.0.1:{free_port()}"

    async def scenario() -> str:
        settings = config("http://127.0.0.1:1", tls=named, metrics=metrics)
        async with running(settings, verify=client(right, None)) as caller:
            for name in ("evil.example", ROUTER):
                address = caller.url.removeprefix("https://").split(":")
                assert await answered((address[0], int(address[1])), client(right, right, name)) is (name == ROUTER)
            async with httpx.AsyncClient(trust_env=False) as plain:
                return (await plain.get(f"http://{metrics}/metrics")).text

    assert 'llm_gate_rejected_total{reason="client_certificate"} 1.0' in run(scenario())


def test_names_without_a_ca_are_refused_at_the_start(tls: ListenerTls) -> None:
    files = structs.replace(tls, client_ca_file=None, client_names=(ROUTER,))
    with pytest.raises(ConfigError, match="clientCaFile"):
        run(serve(config("http://127.0.0.1:1", tls=files), stop=asyncio.Event()))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1])
def test_tls_1_2_is_the_least(tls: ListenerTls, right: trustme.CA, version: ssl.TLSVersion) -> None:
    context = client(right, right)
    assert livez(tls, context) == 200
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = version
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.maximum_version = version
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.raises(httpx.TransportError):
        livez(tls, context)


# ---------------------------------------------------------------- renewed while it runs


@dataclass
class Listener:
    """A listener whose certificates are looked at whenever ``renewed`` says that they may have changed."""

    tls: ServerTls
    now: float = 0.0
    strangers: list[None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.renewing = RenewedTls(self.tls, clock=lambda: self.now)

    def renewed(self) -> None:
        self.now += LOOK_INTERVAL_S

    def serving(self) -> Any:
        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})

        return serving(app, tls=self.renewing, on_stranger=lambda: self.strangers.append(None))


class Conversation:
    """One connection, over which requests go one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def begin(cls, address: tuple[str, int], context: ssl.SSLContext) -> Conversation:
        return cls(*await asyncio.open_connection(*address, ssl=context))

    @property
    def certificate(self) -> bytes:
        found: bytes = self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return found

    async def ask(self) -> bool:
        """Whether there is an answer."""
        try:
            self._writer.write(b"GET / HTTP/1.1\r\nhost: gate.example\r\n\r\n")
            head = await self._reader.readuntil(b"\r\n\r\n")
            await self._reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        except (OSError, asyncio.IncompleteReadError):
            return False
        return head.startswith(b"HTTP/1.1 ")

    def end(self) -> None:
        self._writer.close()


async def answered(address: tuple[str, int], context: ssl.SSLContext) -> bool:
    try:
        conversation = await Conversation.begin(address, context)
    except OSError:
        return False
    try:
        return await conversation.ask()
    finally:
        conversation.end()


@pytest.mark.parametrize("mutual", [True, False], ids=["a gate's", "the router's"])
def test_a_renewed_certificate_is_that_of_the_next_handshake_and_open_connections_go_on(
    tls: ListenerTls, right: trustme.CA, mutual: bool
) -> None:
    async def scenario() -> None:
        listener = Listener(tls if mutual else ServerTls(cert_file=tls.cert_file, key_file=tls.key_file))
        context = client(right, right if mutual else None)
        async with listener.serving() as address:
            old = await Conversation.begin(address, context)
            assert await old.ask()
            await asyncio.to_thread(renew, tls, right, right)
            listener.renewed()
            new = await Conversation.begin(address, context)
            assert await new.ask()
            assert new.certificate != old.certificate
            assert await old.ask()
            for conversation in (old, new):
                conversation.end()

    run(scenario())


def test_broken_or_missing_files_change_nothing_until_they_are_whole(tls: ListenerTls, right: trustme.CA) -> None:
    async def scenario() -> None:
        listener, context = Listener(tls), client(right, right)

        async def served() -> bytes:
            listener.renewed()
            conversation = await Conversation.begin(address, context)
            assert await conversation.ask()
            conversation.end()
            return conversation.certificate

        async with listener.serving() as address:
            first = await served()
            await asyncio.to_thread(Path(tls.cert_file).write_text, "half a certificate")
            assert await served() == first
            await asyncio.to_thread(Path(tls.cert_file).unlink)
            assert await served() == first
            await asyncio.to_thread(lambda: renew(tls, right, right, first_day=-2))
            assert await served() == first, "one that has expired"
            await asyncio.to_thread(renew, tls, right, right)
            assert await served() != first

    run(scenario())


def test_a_certificate_that_is_not_valid_yet_is_taken_when_it_is(
    tls: ListenerTls, right: trustme.CA, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Though the files do not change again. That its time comes is played: OpenSSL has a clock of its own."""
    context = client(right, right)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the client's clock stays

    async def scenario() -> None:
        listener = Listener(tls)

        async def served() -> bytes:
            listener.renewed()
            conversation = await Conversation.begin(address, context)
            assert await conversation.ask()
            conversation.end()
            return conversation.certificate

        async with listener.serving() as address:
            first = await served()
            await asyncio.to_thread(lambda: renew(tls, right, right, first_day=3))
            assert [await served() for _ in range(3)] == [first] * 3
            monkeypatch.setattr("llm_router.api.tls._check_dates", lambda *_: None)
            assert await served() != first

    run(scenario())
    assert [record.message for record in caplog.records if "is not valid yet" in record.message] == [
        f"renewed certificates cannot be used now, the old ones stay: {tls.cert_file} is not valid yet"
    ]


def test_cas_overlap_and_a_removed_one_is_refused_from_the_next_handshake_on(
    tls: ListenerTls, right: trustme.CA, other: trustme.CA
) -> None:
    async def scenario() -> list[tuple[bool, ...]]:
        listener, seen = Listener(tls), list[tuple[bool, ...]]()
        async with listener.serving() as address:
            for client_cas in ((right,), (right, other), (other,), (right,)):
                await asyncio.to_thread(renew, tls, right, *client_cas)
                listener.renewed()
                seen.append(tuple([await answered(address, client(right, ca)) for ca in (right, other)]))
        return seen

    assert run(scenario()) == [(True, False), (True, True), (False, True), (True, False)]


def test_a_resumed_session_does_not_outlive_the_ca_it_was_trusted_by(
    tls: ListenerTls, right: trustme.CA, other: trustme.CA
) -> None:
    """TLS 1.2 resumes sessions from the server's own memory, without another look at the certificate."""
    context = client(right, right)
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def ask(address: tuple[str, int], session: ssl.SSLSession | None) -> tuple[bytes, ssl.SSLSession | None]:
        with socket.create_connection(address, timeout=5) as raw:
            with context.wrap_socket(raw, server_hostname="127.0.0.1", session=session) as wrapped:
                wrapped.sendall(b"GET / HTTP/1.1\r\nhost: gate.example\r\nconnection: close\r\n\r\n")
                return wrapped.recv(64), wrapped.session

    async def scenario() -> tuple[bytes, bytes, int]:
        listener = Listener(tls)
        async with listener.serving() as address:
            first, session = await asyncio.to_thread(ask, address, None)
            assert session is not None
            await asyncio.to_thread(renew, tls, right, other)
            listener.renewed()
            resumed, _ = await asyncio.to_thread(ask, address, session)
            return first, resumed, len(listener.strangers)

    first, resumed, strangers = run(scenario())
    assert first.startswith(b"HTTP/1.1 200")
    assert (resumed, strangers) == (b"", 1)


def test_certificates_that_do_not_fit_are_refused_at_the_start(tls: ListenerTls) -> None:
    Path(tls.key_file).write_text("no key")
    with pytest.raises(ConfigError, match="certificates cannot be used"):
        run(serve(config("http://127.0.0.1:1", tls=tls), stop=asyncio.Event()))


@pytest.mark.parametrize(("first_day", "what"), [(-2, "has expired"), (2, "is not valid yet")])
def test_a_certificate_out_of_its_time_is_refused_at_the_start(
    tls: ListenerTls, right: trustme.CA, first_day: int, what: str
) -> None:
    renew(tls, right, right, first_day=first_day)
    with pytest.raises(ConfigError, match=what):
        run(serve(config("http://127.0.0.1:1", tls=tls), stop=asyncio.Event()))
