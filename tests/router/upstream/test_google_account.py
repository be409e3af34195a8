"""A Google account that cannot be used is told when the router starts; one that is, is asked once at a time."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import google.auth.compute_engine
import pytest

from llm_router.demo.standins.serve import Site
from llm_router.errors import AttemptFailed, ConfigError, ConnectFailed, RouterFull, UpstreamRefused
from llm_router.signals.health import HealthCheck, control_plane_client
from llm_router.upstream.google_account import GoogleAccount
from tests.router.clouds import Vertex
from tests.router.descriptors import no_descriptors
from tests.router.ports import free_port
from tests.router.standins import serving


@pytest.mark.parametrize("text", ["", "[]", '{"type": "service_account"}', '{"type": "authorized_user"}'])
def test_a_file_that_is_no_service_accounts_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"the\.path: .*key\.json is no service account's key"):
        GoogleAccount(str(file), "the.path")


def test_without_google_auth_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth.exceptions", None)
    with pytest.raises(ConfigError, match="extra gcp"):
        GoogleAccount(None, "the.path")


def test_many_who_need_a_token_at_once_ask_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(account: GoogleAccount) -> set[object]:
        return set(await asyncio.gather(*(account.headers() for _ in range(20))))

    vertex = Vertex()
    with serving([Site(vertex, "")]) as served:
        file = vertex.key_file(tmp_path / "key.json", served["vertex"].url)
        assert len(asyncio.run(ask(GoogleAccount(str(file), "")))) == 1
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        assert len(asyncio.run(ask(GoogleAccount(None, "")))) == 1
    assert len(vertex.tokens) == 2


class Endpoint(ThreadingHTTPServer):
    """A token endpoint that says ``answer`` to everybody, once ``opened``."""

    def __init__(self, status: int, answer: bytes = b"", **headers: str) -> None:
        super().__init__(("127.0.0.1", 0), _Saying)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.status, self.answer, self.headers = status, answer, headers
        self.opened, self.asked, self.came = threading.Event(), list[str](), threading.Semaphore(0)
        self.opened.set()


class _Saying(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append(self.path)
        self.server.came.release()
        self.server.opened.wait(10)
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving_at(endpoint: Endpoint) -> Iterator[Endpoint]:
    thread = threading.Thread(target=endpoint.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.opened.set()
        endpoint.shutdown()
        thread.join()
        endpoint.server_close()


def granted() -> Endpoint:
    return Endpoint(200, json.dumps({"access_token": "ya29.x", "expires_in": 3600}).encode())


def account_at(url: str, folder: Path) -> GoogleAccount:
    return GoogleAccount(str(Vertex().key_file(folder / "key.json", url)), "")


def failure(account: GoogleAccount) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as raised:
        asyncio.run(account.headers())
    return raised.value


def test_a_hanging_endpoint_holds_one_thread_however_many_give_up_and_no_name_lookup(tmp_path: Path) -> None:
    async def main(endpoint: Endpoint) -> None:
        account = account_at(endpoint.url, tmp_path)
        for _ in range(40):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await account.headers()
        await asyncio.to_thread(endpoint.came.acquire)
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
        assert [thread.name for thread in threading.enumerate() if "google-account" in thread.name] == [
            "google-account_0"
        ]
        waiting = asyncio.create_task(account.headers())
        await asyncio.sleep(0)
        endpoint.opened.set()
        assert (await waiting)[0] == ("authorization", "Bearer ya29.x")

    with serving_at(granted()) as endpoint:
        endpoint.opened.clear()
        asyncio.run(main(endpoint))
    assert endpoint.asked == ["/token"]


def test_all_who_wait_share_one_failure_and_the_next_asks_again(tmp_path: Path) -> None:
    async def main(endpoint: Endpoint) -> None:
        account = account_at(endpoint.url, tmp_path)
        for times in (1, 2):
            failed = await asyncio.gather(*(account.headers() for _ in range(5)), return_exceptions=True)
            assert {type(each) for each in failed} == {UpstreamRefused}
            assert len(endpoint.asked) == times

    with serving_at(Endpoint(400, b'{"error": "invalid_grant"}')) as endpoint:
        asyncio.run(main(endpoint))


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    with serving_at(granted()) as elsewhere, serving_at(Endpoint(307, location=f"{elsewhere.url}/token")) as endpoint:
        assert isinstance(failure(account_at(endpoint.url, tmp_path)), ConnectFailed)
    assert (endpoint.asked, elsewhere.asked) == (["/token"], [])


def test_a_proxy_of_the_environment_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_at(granted()) as endpoint, serving_at(Endpoint(502)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        asyncio.run(account_at(endpoint.url, tmp_path).headers())
    assert proxy.asked == []


@pytest.mark.parametrize("text", ["", "[]", '"x"', '{"type": "service_account"}', None, b"\xff"])
def test_default_credentials_that_cannot_be_read_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | bytes | None
) -> None:
    file = tmp_path / "key.json"
    if text is None:
        file.mkdir()
    else:
        file.write_bytes(text.encode() if isinstance(text, str) else text)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    assert isinstance(failure(GoogleAccount(None, "")), UpstreamRefused)


@pytest.mark.parametrize("answer", [b"[]", b"1", b'{"access_token": "x", "expires_in": 1e30}', b"\xff"])
def test_an_answer_that_makes_no_sense_is_refused(tmp_path: Path, answer: bytes) -> None:
    with serving_at(Endpoint(200, answer)) as endpoint:
        assert isinstance(failure(account_at(endpoint.url, tmp_path)), UpstreamRefused)


def test_an_endpoint_or_a_metadata_server_out_of_reach_is_no_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(failure(account_at(f"http://127.0.0.1:{free_port()}", tmp_path)), ConnectFailed)
    machine: Any = google.auth.exceptions.RefreshError("no metadata")  # type: ignore[no-untyped-call]
    machine.__cause__ = google.auth.exceptions.TransportError("unreachable")  # type: ignore[no-untyped-call]

    class OfTheMachine(google.auth.compute_engine.Credentials):
        def refresh(self, _request: Any) -> None:
            raise machine

    monkeypatch.setattr("google.auth.default", lambda **_: (OfTheMachine(), None))  # type: ignore[no-untyped-call]
    assert isinstance(failure(GoogleAccount(None, "")), ConnectFailed)


def test_for_want_of_descriptors_no_target_is_to_blame(tmp_path: Path) -> None:
    async def main(account: GoogleAccount) -> None:
        with pytest.raises(ConnectFailed):
            await account.headers()
        check = HealthCheck(
            url="http://127.0.0.1:1",
            headers=(),
            timeout_s=5.0,
            client=control_plane_client(ssl.create_default_context(), private=True),
            unix_time=lambda: 1234.0,
            account=account,
        )
        check.record.passed(1.0, 1000.0)
        known = check.record.report
        with no_descriptors():
            with pytest.raises(RouterFull):
                await account.headers()
            for _ in range(3):
                assert await check.check() == known
        await check.aclose()

    asyncio.run(main(account_at(f"http://127.0.0.1:{free_port()}", tmp_path)))
