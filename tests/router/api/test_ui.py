"""The files of the admin listener's pages: answered whole, with headers that let browsers run nothing else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.types import Message, Scope

import llm_router
from llm_router.api.page_headers import CSP, PageHeaders
from llm_router.api.ui import ASSETS
from tests.router.edge import echo
from tests.router.routers import Running, providers, running_router
from tests.router.standins import Standins, running_standins

FOLDER = Path(llm_router.__file__).with_name("ui")
PATHS = ["/", *(f"/ui/{name}" for name in ASSETS)]


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


@pytest.fixture(scope="module")
def router(standins: Standins) -> Iterator[Running]:
    with running_router({"externalProviders": providers(standins)}) as running:
        yield running


ASKED: Scope = {"method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "headers": []}


async def nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def guarded(answer: httpx.Response) -> bool:
    return {
        "content-security-policy": CSP.decode(),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
    }.items() <= dict(answer.headers).items()


def test_every_answer_tells_browsers_to_run_and_frame_nothing_else(router: Running) -> None:
    for path in (*PATHS, "/admin/config", "/metrics", "/nowhere", "/admin/reload", "/ai/providers/nobody/health"):
        assert guarded(router.admin.get(path)), path
    assert guarded(router.admin.get("/", headers={"host": "evil.example"}))
    assert guarded(router.admin.get("/login"))
    for directive in ("default-src 'none'", "script-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert directive in CSP.decode().split("; ")
    assert b"unsafe" not in CSP


def test_what_the_router_tells_is_kept_nowhere(router: Running) -> None:
    assert router.admin.get("/admin/config").headers["cache-control"] == "no-store"
    assert router.admin.get("/ui/style.css").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("named", [True, False])
def test_hsts_goes_out_over_tls_alone_and_never_for_localhost(scheme: str, named: bool) -> None:
    started: list[Message] = []

    async def send(message: Message) -> None:
        started.append(message)

    async def main() -> None:
        await PageHeaders(echo, named=named)({"type": "http", "scheme": scheme, **ASKED}, nothing, send)

    asyncio.run(main())
    sent = dict(started[0]["headers"])
    assert (b"strict-transport-security" in sent) == (named and scheme == "https")


@pytest.mark.parametrize("path", PATHS)
def test_a_file_is_answered_whole_and_once(router: Running, path: str) -> None:
    first = router.admin.get(path)
    name = "status.html" if path == "/" else path.removeprefix("/ui/")
    assert first.content == (FOLDER / name).read_bytes()
    again = router.admin.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])


@pytest.mark.parametrize(
    "ranges",
    ["bytes=0-0", "bytes=-1", "bytes=0-,0-", "bytes=" + ",".join(f"{n}-" for n in range(5000)), "bytes=" + "0-" * 9000],
    ids=lambda ranges: ranges[:16],
)
def test_ranges_are_not_looked_at(router: Running, ranges: str) -> None:
    """CVE-2025-62727: joining thousands of ranges took quadratic time."""
    answer = router.admin.get("/ui/style.css", headers={"range": ranges})
    assert (answer.status_code, answer.content) == (200, (FOLDER / "style.css").read_bytes())
    assert "accept-ranges" not in answer.headers


def test_no_other_file_is_there(router: Running) -> None:
    for path in ("/ui/", "/ui/nothing.js", "/ui/status.html", "/ui/%2e%2e/app.py"):
        assert router.admin.get(path).status_code in (400, 404), path
    assert {file.name for file in FOLDER.iterdir()} == {*ASSETS, "login.html", "status.html"}


def test_the_scripts_put_texts_in_as_texts_and_ask_nobody_else() -> None:
    for file in FOLDER.glob("*.js"):
        script = file.read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc", script
        )
        assert not re.search(r"https?://", script)
    for file in FOLDER.glob("*.html"):
        page = file.read_text()
        assert not re.search(r"<style|\bstyle=|\bon[a-z]+=|<script(?![^>]* src=\"/ui/)", page), "the policy forbids it"
        assert not re.search(r"(?:src|href)=\"(?!/ui/|data:,)", page)
