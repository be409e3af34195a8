"""Web pages and the listeners that ask nobody who he is: the admin listener, and a public one without API keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Scope

from llm_router.admission.key_file import create
from llm_router.api.browsers import judge_admin
from tests.router.routers import Running, providers, running_router
from tests.router.standins import Standins, running_standins

JSON = {"content-type": "application/json"}
EVIL = "http://evil.example"


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


@pytest.fixture(scope="module")
def router(standins: Standins) -> Iterator[Running]:
    with running_router({"externalProviders": providers(standins)}) as running:
        yield running


def code(answer: httpx.Response) -> str | None:
    found: str | None = answer.json()["error"]["code"] if answer.status_code == 403 else None
    return found


def reload(router: Running, **headers: str) -> httpx.Response:
    return router.admin.post(
        "/admin/reload", headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def test_whoever_is_no_browser_reloads(router: Running) -> None:
    assert reload(router).json() == {"reloaded": True, "problems": []}
    assert reload(router, **JSON).status_code == 200


def test_a_page_of_the_admin_listener_itself_reloads(router: Running) -> None:
    assert reload(router, origin=router.admin_url, sec_fetch_site="same-origin", **JSON).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "same-origin", "origin": EVIL},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "Multipart/form-data; boundary=x"},
        {"content_type": "text/plain;charset=utf-8"},
    ],
    ids=str,
)
def test_no_other_page_reloads(router: Running, headers: dict[str, str]) -> None:
    before = router.app.generation()
    answer = reload(router, **headers)
    assert (answer.status_code, code(answer)) == (403, "foreign_request")
    assert router.app.generation() is before


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9091", "127.0.0.1.evil.example", "10.0.0.1", "[fe80::1]"]
)
@pytest.mark.parametrize("path", ["/admin/config", "/admin/requests", "/metrics", "/nowhere"])
def test_a_page_whose_name_was_led_here_reads_nothing(router: Running, host: str, path: str) -> None:
    """DNS rebinding: the browser believes to speak to the page's own server, and says so."""
    assert code(router.admin.get(path, headers={"host": host})) == "foreign_request"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9091", "127.0.0.1:80", "[::1]:9091", "[::1]"])
def test_every_name_of_this_machine_will_do(router: Running, host: str) -> None:
    """Through a tunnel the port is another one."""
    assert router.admin.get("/ai/providers", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("on_loopback", [True, False])
def test_off_loopback_the_listener_has_a_name_and_a_cookie_instead(on_loopback: bool) -> None:
    host, passes = "admin.example", not on_loopback

    def scope(method: str, **headers: str) -> Scope:
        sent = {"host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
        return {"method": method, "headers": [(name.encode(), value.encode()) for name, value in sent.items()]}

    judge = judge_admin(on_loopback=on_loopback)
    assert (judge(scope("GET")) is None) == passes
    assert (judge(scope("POST", origin=f"https://{host}")) is None) == passes
    assert judge(scope("POST", origin=EVIL)) is not None
    assert judge(scope("POST", sec_fetch_site="cross-site")) is not None


# ---------------------------------------------------------------- the public listener without keys


def ask(router: Running, **headers: str) -> httpx.Response:
    body: Any = {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": "Hi"}]}
    return router.client.post("/v1/chat/completions", json=body, headers=headers)


@pytest.mark.parametrize("origin", [EVIL, "null", "https://localhost.evil.example", "http://192.168.1.5:8080"])
def test_without_keys_no_page_of_another_machine_spends_money(router: Running, standins: Standins, origin: str) -> None:
    standins.clear()
    assert code(ask(router, origin=origin)) == "foreign_request"
    assert code(router.client.post("/v1/route", json={}, headers={"origin": origin})) == "foreign_request"
    assert standins.openai.requests() == []


@pytest.mark.parametrize("origin", [None, "http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:5173"])
def test_without_keys_programs_and_pages_of_this_machine_are_served(router: Running, origin: str | None) -> None:
    assert ask(router, **({} if origin is None else {"origin": origin})).status_code == 200


def test_with_keys_it_is_the_key_that_counts(standins: Standins, tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    key = create(keys, "page")
    with running_router({"externalProviders": providers(standins), "access": {"apiKeysFile": str(keys)}}) as router:
        assert ask(router, origin=EVIL).status_code == 401
        assert ask(router, origin=EVIL, authorization=f"Bearer {key}").status_code == 200
