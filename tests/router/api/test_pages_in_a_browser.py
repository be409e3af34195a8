"""The admin listener's pages in a real browser: logging in, what they show, and that text of others stays text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from llm_router.admission.admin_credentials import AdminCredentials
from llm_router.admission.keys import KeyRing
from llm_router.api.admin_door import guarded_admin
from llm_router.api.application import application
from llm_router.telemetry.metrics import admin_logins
from tests.router.browser import Browser, running_browser
from tests.router.edge import served
from tests.router.passwords import PASSWORD, quick_hash
from tests.router.routers import MODELS, providers, running_router
from tests.router.standins import Standins, running_standins

pytestmark = pytest.mark.slow

SHOWN = "document.querySelector('#news')?.textContent.startsWith('As of')"
NASTY = "<img src=x onerror=\"document.title='broken into'\"><script>document.title='broken into'</script>"


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with running_browser(tmp_path) as running:
        yield running
        assert not [line for line in running.said if "401" not in line], "a page must not complain"


def text(browser: Browser, place: str) -> str:
    said: str = browser.value(f"document.querySelector('#{place}').innerText")
    return said


def submit(browser: Browser, password: str) -> None:
    browser.wait_until("document.activeElement?.id === 'password'")
    browser.type(password)
    browser.value("document.querySelector('form').requestSubmit()")


def test_one_logs_in_sees_what_the_router_does_reloads_it_and_logs_out(browser: Browser, standins: Standins) -> None:
    """Over plain HTTP on this machine, as through a tunnel: the browser takes the cookie there, too."""
    config: dict[str, Any] = {"externalProviders": providers(standins), "admin": {"passwordHash": quick_hash()}}
    with running_router(config) as router:
        router.chat("Hi", model=MODELS["openai"])
        browser.open(router.admin_url + "/")
        submit(browser, "not the password at all")
        browser.wait_until("document.querySelector('#message').textContent === 'That is not the password.'")
        submit(browser, PASSWORD)
        browser.wait_until(SHOWN)
        assert browser.value("document.cookie") == "", "no script reads it"
        assert "3 of 3\nproviders healthy" in text(browser, "summary")
        assert "anthropic\thealthy\tup\tclaude-haiku-5-5" in text(browser, "providers")
        assert f"openai\t{MODELS['openai']}\thybrid_external\t200" in text(browser, "requests")
        assert "2 not" in text(browser, "decisions")
        assert "last load\taccepted\nstrategy\thybrid" in text(browser, "configuration")
        assert "No limits and no budgets." in text(browser, "budgets")
        router.config["router"] = {"nonsense": 1}
        browser.value("document.querySelector('#reload').click()")
        browser.wait_until("document.querySelector('#answer').textContent.startsWith('Refused')")
        assert "nonsense" in text(browser, "answer")
        browser.wait_until("document.querySelector('#configuration').innerText.includes('last load\\trefused')")
        browser.value("document.querySelector('#logout').click()")
        browser.wait_until("location.pathname === '/login' && document.activeElement?.id === 'password'")
        browser.open(router.admin_url + "/")
        browser.wait_until("location.pathname === '/login'")
        browser.said[:] = [line for line in browser.said if "422" not in line]


def hostile(value: Any) -> Any:
    """``value`` with something nasty in every text."""
    if isinstance(value, dict):
        return {key: hostile(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile(item) for item in value]
    return NASTY if isinstance(value, str) else value


def test_text_of_others_is_shown_as_text_and_runs_nothing(browser: Browser, standins: Standins) -> None:
    """Everything that the router tells is put in, with markup for every word of it."""
    config: dict[str, Any] = {
        "externalProviders": providers(standins, "openai", "anthropic"),
        "clusters": [
            {
                "name": "local",
                "endpoint": "http://127.0.0.1:9",
                "authType": "none",
                "models": [{"name": "tiny"}],
                "rateLimit": {"requestsPerMinute": 5},
                "budget": {"daily": 5},
            }
        ],
    }
    with running_router(config) as router:
        router.chat("Hi", model=MODELS["openai"])
        paths = [route.path for route in router.app.unguarded_admin.routes if route.path.count("{") == 0]  # type: ignore[attr-defined]
        told = {path: router.admin.get(path) for path in paths if path not in ("/metrics", "/admin/reload")}

    def route(path: str, said: Any) -> Route:
        async def tell(_request: Request) -> Response:
            return JSONResponse(said)

        return Route(path, tell)

    routes = [route("/metrics", NASTY), *(route(path, hostile(answer.json())) for path, answer in told.items())]
    app = guarded_admin(
        routes, lambda: AdminCredentials(None, KeyRing(())), admin_logins(CollectorRegistry()), on_loopback=True
    )
    with served(app) as (host, port):
        browser.open(f"http://{host}:{port}/")
        browser.wait_until(SHOWN)
        for place in ("clusters", "providers", "savings", "budgets", "decisions", "requests", "configuration"):
            assert NASTY in text(browser, place), place
        assert browser.value("document.querySelectorAll('main img, main script').length") == 0
        assert browser.value("document.title") == "LLM router"
        refused = (
            "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.in = 1'}))"
        )
        browser.value(refused)
        assert browser.value("window.in === undefined"), "nor does the browser run what somebody brings in"
        assert any("Content Security Policy" in line for line in browser.said)
        browser.said.clear()


def test_no_other_page_shows_this_one_inside_of_itself(browser: Browser, standins: Standins) -> None:
    """Nobody is to be led to click on what he does not see."""
    with running_router({"externalProviders": providers(standins)}) as router:

        async def frame(_request: Request) -> Response:
            return HTMLResponse(f"<iframe src='{router.admin_url}/'></iframe>")

        with served(application([Route("/", frame)])) as (host, port):
            browser.open(f"http://{host}:{port}/")
            browser.wait_until("document.readyState === 'complete' && frames.length === 1")
            browser.wait_for("frame-ancestors")
            browser.said.clear()
