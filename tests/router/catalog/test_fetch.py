"""Weights are fetched whole, resumed where they broke off, and never kept when they are others."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from llm_router.catalog.fetch import TRIES, FetchFailed, Wanted, fetch

WEIGHTS = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()


class Store(ThreadingHTTPServer):
    """An HTTP server that has the weights. Each answer follows the next line of ``script``, the last one for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[str] = ["whole"]
        self.ranges: list[str | None] = []

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/model.gguf"


class Handler(BaseHTTPRequestHandler):
    server: Store

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("range"))
        script = self.server.script
        getattr(self, script.pop(0) if len(script) > 1 else script[0])()

    def whole(self, body: bytes = WEIGHTS) -> None:
        start = int((self.headers.get("range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self._begin(206 if start else 200, len(body) - start, f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.wfile.write(body[start:])

    def cut(self) -> None:
        self._begin(200, len(WEIGHTS))
        self.wfile.write(WEIGHTS[:100_000])

    def deaf_to_ranges(self) -> None:
        self._begin(200, len(WEIGHTS))
        self.wfile.write(WEIGHTS)

    def other(self) -> None:
        self.whole(WEIGHTS[::-1])

    def longer(self) -> None:
        self.whole(WEIGHTS + b"x")

    def busy(self) -> None:
        self.send_error(503)

    def missing(self) -> None:
        self.send_error(404)

    def redirect(self, location: str = "/elsewhere") -> None:
        self.send_response(302)
        self.send_header("location", location)
        self.end_headers()

    def downgrade(self) -> None:
        self.redirect("http://weights.example.com/model.gguf")

    def _begin(self, status: int, length: int, content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("content-length", str(length))
        if status == 206:
            self.send_header("content-range", content_range)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as store:
        thread = threading.Thread(target=store.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield store
        store.shutdown()
        thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "volume" / "model.gguf"


def run(file: Path, uri: str | None) -> list[float]:
    """Fetches; the pauses that it made."""
    pauses: list[float] = []
    fetch(Wanted(file=file, sha256=SHA256, size_bytes=len(WEIGHTS), uri=uri), sleep=pauses.append)
    assert [entry.name for entry in file.parent.iterdir()] == ["model.gguf"]
    assert file.read_bytes() == WEIGHTS
    return pauses


def test_weights_that_are_there_are_verified_and_not_fetched(file: Path, store: Store) -> None:
    file.parent.mkdir()
    file.write_bytes(WEIGHTS)
    run(file, store.uri)
    assert store.ranges == []


def test_weights_are_fetched_and_a_redirect_is_followed(file: Path, store: Store) -> None:
    store.script = ["redirect", "whole"]
    assert run(file, store.uri) == []


def test_a_broken_download_goes_on_where_it_stopped(file: Path, store: Store) -> None:
    store.script = ["cut", "busy", "whole"]
    assert run(file, store.uri) == [1.0, 2.0]
    assert store.ranges == [None, "bytes=100000-", "bytes=100000-"]


def test_a_server_without_ranges_sends_it_all_again(file: Path, store: Store) -> None:
    store.script = ["cut", "deaf_to_ranges"]
    run(file, store.uri)


def test_what_lies_there_and_is_another_file_is_replaced(file: Path, store: Store) -> None:
    file.parent.mkdir()
    file.write_bytes(WEIGHTS[:-1] + b"x")
    run(file, store.uri)


@pytest.mark.parametrize(
    ("script", "told", "requests"),
    [
        ("other", "nothing was kept", 1),
        ("longer", "has more than", 1),
        ("missing", "answers 404", 1),
        ("busy", "answers 503", TRIES),
        ("downgrade", "is not https", 1),
    ],
)
def test_nothing_else_is_left_behind(file: Path, store: Store, script: str, told: str, requests: int) -> None:
    store.script = [script]
    with pytest.raises(FetchFailed, match=told):
        run(file, store.uri)
    assert not file.exists()
    assert len(store.ranges) == requests


def test_without_a_uri_the_file_must_be_the_right_one(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"something else")
    with pytest.raises(FetchFailed, match="no URI"):
        run(file, None)
    assert file.exists()


def test_weights_never_come_without_tls(file: Path) -> None:
    with pytest.raises(FetchFailed, match="is not https"):
        run(file, "http://weights.example.com/model.gguf")
