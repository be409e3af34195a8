"""The pages of the admin listener: files of the package, read once, each answered whole.

``Range`` is not looked at: RFC 9110 lets a server, and no file is large.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

LOGIN_PATH = "/login"
ASSETS_PATH = "/ui/"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
ASSETS = ("style.css", "login.js", "elements.js", "tables.js", "status.js")


def ui_routes(is_asked: Callable[[], bool]) -> list[Route]:
    """``is_asked`` says whether there is a password that somebody could log in with."""
    login = _page("login.html")

    async def login_or_page(request: Request) -> Response:
        return await login(request) if is_asked() else RedirectResponse("/", 303)

    return [
        Route("/", _page("status.html")),
        Route(LOGIN_PATH, login_or_page),
        *(Route(ASSETS_PATH + name, _page(name)) for name in ASSETS),
    ]


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    body = (files("llm_router") / "ui" / name).read_bytes()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "no-cache"}
    media_type = _TYPES[name[name.rindex(".") :]]

    async def page(request: Request) -> Response:
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=media_type)

    return page
