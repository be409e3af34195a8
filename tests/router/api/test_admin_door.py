"""The admin listener once it has a password: who passes, for how long, from which page, and how often one may guess."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from llm_router.admission.key_file import create, revoke
from llm_router.admission.passwords import is_right
from llm_router.admission.sessions import IDLE_S, LONGEST_S
from llm_router.config.password_hash import PasswordHash
from tests.router.passwords import PASSWORD, quick_hash
from tests.router.routers import Running, providers, running_router
from tests.router.standins import Standins, running_standins

PAGE = {"x-llm-router-page": "attended", "sec-fetch-site": "same-origin"}
OTHER_PASSWORD = "a-different-windmill-song"


class Clock:
    """The router's: that of the machine, and ahead of it by as much as a test wants."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return tmp_path / "admin-keys.yaml"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def router(standins: Standins, keys_file: Path, clock: Clock) -> Iterator[Running]:
    create(keys_file, "monitoring")
    admin = {"passwordHash": quick_hash(), "keysFile": str(keys_file)}
    with running_router({"externalProviders": providers(standins), "admin": admin}, clock=clock) as running:
        yield running


def log_in(router: Running, password: Any = PASSWORD, **headers: str) -> httpx.Response:
    """As the page does. The cookie is for HTTPS, or for browsers that know this machine: httpx does not send it."""
    sent = PAGE | {name.replace("_", "-"): value for name, value in headers.items()}
    return router.admin.post("/login", json={"password": password}, headers=sent)


def cookie_of(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 204, answer.text
    return {"cookie": answer.headers["set-cookie"].partition(";")[0]}


def is_in(router: Running, cookie: dict[str, str], **headers: str) -> bool:
    answer = router.admin.get("/admin/config", headers=cookie | headers)
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


def code(answer: httpx.Response) -> str:
    said: str = answer.json()["error"]["code"]
    return said


# ---------------------------------------------------------------- who passes


def test_without_credentials_only_the_login_page_and_its_files_answer(router: Running) -> None:
    routes = [route for route in router.app.unguarded_admin.routes if isinstance(route, Route)]  # type: ignore[attr-defined]
    assert len(routes) > 10
    for path, methods in [(route.path, route.methods or set()) for route in routes] + [("/nowhere", {"GET"})]:
        for method in methods | {"GET", "POST", "PUT", "DELETE", "OPTIONS"}:
            asked = path.replace("{name}", "openai")
            answer = router.admin.request(method, asked, headers=PAGE)
            assert answer.status_code == 401, (method, path)
            assert method == "HEAD" or code(answer) == "login_required"
    assert router.admin.post("/logout", headers=PAGE).status_code == 401
    for path in ("/login", "/ui/login.js", "/ui/style.css"):
        assert router.admin.get(path).status_code == 200
    front = router.admin.get("/")
    assert (front.status_code, front.headers["location"]) == (303, "/login")


def test_who_knows_the_password_gets_a_session_in_a_cookie_that_nobody_else_can_read(router: Running) -> None:
    answer = log_in(router)
    name, _, attributes = answer.headers["set-cookie"].partition("=")
    assert name == "__Host-llmr"
    assert attributes.split("; ")[1:] == ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"]
    assert answer.content == b""
    assert is_in(router, cookie_of(answer))
    assert router.admin.get("/", headers=cookie_of(answer)).status_code == 200
    assert router.admin.get("/metrics", headers=cookie_of(answer)).status_code == 200


@pytest.mark.parametrize(
    "cookie",
    ["__Host-llmr=", "__Host-llmr=" + "A" * 43, "llmr={id}", "__Host-llmr={id}; __Host-llmr={id}", "__Host-llmr={id}x"],
)
def test_no_other_cookie_passes(router: Running, cookie: str) -> None:
    session_id = cookie_of(log_in(router))["cookie"].partition("=")[2]
    assert is_in(router, {"cookie": f"theme=dark; __Host-llmr={session_id}"})
    assert not is_in(router, {"cookie": cookie.replace("{id}", session_id)})


def test_programs_show_a_key_of_the_admin_listeners_own(router: Running, keys_file: Path) -> None:
    key = create(keys_file, "deploy")
    bearer = {"authorization": f"Bearer {key}"}
    assert not is_in(router, {}, **bearer), "not before it is read"
    cookie = cookie_of(log_in(router))
    assert router.admin.post("/admin/reload", headers=cookie | PAGE).status_code == 200
    assert is_in(router, {}, **bearer)
    assert router.admin.post("/admin/reload", headers=bearer).json()["reloaded"], "no page's headers are asked of it"
    assert not is_in(router, cookie, authorization="Bearer llmr_wrong"), "a wrong key is not made good by a cookie"
    revoke(keys_file, "deploy")
    assert router.admin.post("/admin/reload", headers=bearer).status_code == 200
    assert not is_in(router, {}, **bearer)


def test_neither_cookie_nor_admin_key_opens_the_public_listener(
    standins: Standins, keys_file: Path, tmp_path: Path
) -> None:
    admin_key, caller = create(keys_file, "deploy"), create(tmp_path / "keys.yaml", "caller")
    config = {
        "externalProviders": providers(standins),
        "access": {"apiKeysFile": str(tmp_path / "keys.yaml")},
        "admin": {"passwordHash": quick_hash(), "keysFile": str(keys_file)},
    }
    with running_router(config) as router:
        cookie = cookie_of(log_in(router))
        assert router.client.get("/v1/models", headers=cookie).status_code == 401
        assert router.chat(headers=cookie).status_code == 401
        assert router.chat(headers={"authorization": f"Bearer {admin_key}"}).status_code == 401
        assert not is_in(router, {}, authorization=f"Bearer {caller}")
        assert router.chat(headers={"authorization": f"Bearer {caller}"}).status_code == 200


# ---------------------------------------------------------------- for how long


def test_a_session_ends_when_nobody_is_there_and_after_half_a_day(router: Running, clock: Clock) -> None:
    cookie = cookie_of(log_in(router))
    while clock.ahead_s < LONGEST_S - IDLE_S:
        clock.ahead_s += IDLE_S - 60
        assert is_in(router, cookie)
    clock.ahead_s = LONGEST_S
    assert not is_in(router, cookie)

    left_open = cookie_of(log_in(router))
    clock.ahead_s += IDLE_S - 60
    assert is_in(router, left_open, **{"x-llm-router-page": "unattended"})
    clock.ahead_s += 60
    assert not is_in(router, left_open), "a page that only refreshes itself keeps none open"


def test_logging_out_and_logging_in_again_end_a_session(router: Running) -> None:
    first = cookie_of(log_in(router))
    second = cookie_of(log_in(router, cookie=first["cookie"]))
    assert first != second
    assert (is_in(router, first), is_in(router, second)) == (False, True)
    out = router.admin.post("/logout", headers=second | PAGE)
    assert "Max-Age=0" in out.headers["set-cookie"]
    assert not is_in(router, second)


def test_sessions_outlive_a_reload_but_not_their_password(router: Running) -> None:
    cookie = cookie_of(log_in(router))
    assert router.admin.post("/admin/reload", headers=cookie | PAGE).json()["reloaded"]
    assert is_in(router, cookie)
    router.config["admin"]["passwordHash"] = quick_hash(OTHER_PASSWORD)
    assert router.admin.post("/admin/reload", headers=cookie | PAGE).json()["reloaded"]
    assert not is_in(router, cookie)
    assert log_in(router).status_code == 401
    assert is_in(router, cookie_of(log_in(router, OTHER_PASSWORD)))


def test_what_the_listener_is_made_from_takes_a_restart(router: Running) -> None:
    cookie = cookie_of(log_in(router))
    router.config["admin"]["metrics"] = "127.0.0.1:0"
    refused = router.admin.post("/admin/reload", headers=cookie | PAGE)
    assert (refused.status_code, refused.json()["problems"][0].partition(":")[0]) == (422, "admin")


# ---------------------------------------------------------------- from which page


FOREIGN: list[dict[str, str | None]] = [
    {"x-llm-router-page": None},
    {"sec-fetch-site": None},
    {"sec-fetch-site": "none"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "cross-site", "origin": "http://evil.example"},
    {"sec-fetch-site": None, "origin": "http://localhost:3000"},
    {"origin": "null"},
    {"content-type": "application/x-www-form-urlencoded"},
    {"content-type": "text/plain"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_no_page_of_others_changes_anything_with_the_cookie_or_logs_anybody_in(
    router: Running, headers: dict[str, str | None]
) -> None:
    cookie, before = cookie_of(log_in(router)), router.app.generation()
    sent = {"content-type": "application/json"} | PAGE | headers
    given = {name: value for name, value in sent.items() if value is not None}
    for path in ("/admin/reload", "/logout", "/login"):
        refused = router.admin.post(path, content=b'{"password": "%b"}' % PASSWORD.encode(), headers=cookie | given)
        assert (refused.status_code, code(refused)) == (403, "foreign_request"), path
        assert "set-cookie" not in refused.headers
    assert router.app.generation() is before
    assert is_in(router, cookie)


def test_an_origin_of_its_own_will_do_where_a_browser_sends_no_more(router: Running) -> None:
    own = {"x-llm-router-page": "attended", "origin": router.admin_url}
    cookie = cookie_of(log_in(router))
    assert router.admin.post("/admin/reload", headers=cookie | own).status_code == 200


def test_nothing_is_changed_by_a_get(router: Running) -> None:
    cookie, before = cookie_of(log_in(router)), router.app.generation()
    for path in ("/admin/reload", "/logout"):
        assert router.admin.get(path, headers=cookie | PAGE).status_code == 405
    assert router.admin.get("/login", params={"password": PASSWORD}, headers=PAGE).headers.get("set-cookie") is None
    assert router.app.generation() is before
    assert is_in(router, cookie)


# ---------------------------------------------------------------- guessing


def test_a_hundred_guesses_get_five_tries_while_requests_are_answered(
    router: Running, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Who guesses learns nothing from an answer, and no guess is written anywhere."""
    with caplog.at_level(logging.INFO, "llm_router.admin"):
        answers, served = [], []
        for n in range(100):
            answers.append(log_in(router, f"guess number {n} of some"))
            if n % 10 == 0:
                served.append(router.chat().status_code)
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 95
    assert {answer.content for answer in answers[:5]} == {answers[0].content}
    assert code(answers[0]) == "wrong_password"
    assert {code(answer) for answer in answers[5:]} == {"too_many_logins"}
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in answers[5:])
    assert served == [200] * 10
    assert log_in(router).status_code == 429, "nor does the right one come through in that minute"
    failures = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(failures) == 5
    assert all("wrong password, from 127.0.0.1" in line and "guess" not in line for line in failures)
    clock.ahead_s += 60
    cookie = cookie_of(log_in(router))
    counted = router.admin.get("/metrics", headers=cookie).text
    for result, count in (("failed", 5), ("throttled", 96), ("succeeded", 1)):
        assert f'llm_router_admin_logins_total{{result="{result}"}} {count}.0' in counted


def test_one_password_is_hashed_at_a_time_and_one_that_changes_meanwhile_opens_nothing(
    router: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashing, most = 0, 0
    under_way, go_on = threading.Event(), threading.Event()

    def slow(password: str, known: PasswordHash) -> bool:
        nonlocal hashing, most
        hashing += 1
        most = max(most, hashing)
        under_way.set()
        assert go_on.wait(20)
        hashing -= 1
        return is_right(password, known)

    monkeypatch.setattr("llm_router.api.admin_login.is_right", slow)
    with ThreadPoolExecutor(4) as callers:
        logins = [callers.submit(log_in, router) for _ in range(4)]
        assert under_way.wait(20)
        assert router.chat().status_code == 200
        router.config["admin"]["passwordHash"] = quick_hash(OTHER_PASSWORD)
        router.run(router.app.reload())
        go_on.set()
        assert [login.result(20).status_code for login in logins] == [401] * 4
    assert most == 1


@pytest.mark.parametrize("body", [b"", b"[]", b'{"password": 7}', b"\xff", b'{"secret": "x"}', b"x" * 5000])
def test_what_is_no_password_is_no_try(router: Running, body: bytes) -> None:
    for _ in range(7):
        refused = router.admin.post("/login", content=body, headers=PAGE | {"content-type": "application/json"})
        assert (refused.status_code, code(refused)) in ((400, "invalid_request_error"), (413, "request_too_large"))
    assert log_in(router).status_code == 204


# ---------------------------------------------------------------- without a password


def test_without_a_password_there_is_nothing_to_log_in_with(standins: Standins) -> None:
    with running_router({"externalProviders": providers(standins)}) as router:
        assert router.admin.get("/admin/config").status_code == 200
        assert router.admin.get("/").status_code == 200
        page = router.admin.get("/login")
        assert (page.status_code, page.headers["location"]) == (303, "/")
        assert log_in(router).status_code == 404
