"""The door of the admin listener: who may pass, once there is a password."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from prometheus_client import Counter
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from ..admission.admin_credentials import AdminCredentials
from ..admission.keys import authorise, extract
from ..errors import ClientError
from .admin_login import Login
from .application import application, response_of
from .browsers import FOREIGN, PAGE_HEADER, SAFE, header_of, judge_admin, judge_own_page
from .errors import guard_body
from .guard import Guard
from .page_headers import PageHeaders
from .session_cookie import session_in
from .ui import ASSETS_PATH, LOGIN_PATH, ui_routes

UNATTENDED = b"unattended"
"""What a page says that refreshes itself while nobody touches it: that keeps no session open."""


def guarded_admin(
    routes: Sequence[BaseRoute],
    credentials: Callable[[], AdminCredentials],
    logins: Counter,
    *,
    on_loopback: bool,
    clock: Callable[[], float] = time.monotonic,
    unix_time: Callable[[], float] = time.time,
) -> ASGIApp:
    """``routes`` and the pages over them as the application of an admin listener: for whoever has logged in or shows a
    key, without a password for whoever is on this machine, and never for another web page."""
    login = Login(credentials, logins, clock)
    pages = [*ui_routes(login.is_asked), *login.routes(), *routes]
    door = Door(application(pages), login, unix_time)
    guard = Guard(door, render=guard_body, judge=judge_admin(on_loopback=on_loopback))
    return PageHeaders(guard, named=not on_loopback)


class Door:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, login: Login, unix_time: Callable[[], float]) -> None:
        self._app, self._login, self._unix_time = app, login, unix_time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._judge(scope)
        except ClientError as error:
            await _refusal(scope, error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _judge(self, scope: Scope) -> None:
        """Raises ``ClientError`` for whoever may not pass."""
        credentials, headers = self._login.credentials(), scope["headers"]
        if credentials.password is None or scope["path"] == LOGIN_PATH or scope["path"].startswith(ASSETS_PATH):
            return
        if extract(headers) is not None:
            authorise(credentials.keys, headers, self._unix_time())
            return
        session_id = session_in(headers)
        used = header_of(scope, PAGE_HEADER) != UNATTENDED
        if session_id is None or not self._login.sessions.knows(
            session_id, credentials.password, self._login.clock(), used=used
        ):
            raise ClientError(401, "login_required", "Log in at /login, or send a key of admin.keysFile.")
        if scope["method"] not in SAFE and (refusal := judge_own_page(scope)) is not None:
            raise ClientError(403, FOREIGN, refusal.message + ".")


def _refusal(scope: Scope, error: ClientError) -> Response:
    if error.status == 401 and scope["path"] == "/" and scope["method"] in SAFE:
        return RedirectResponse(LOGIN_PATH, 303)
    return response_of(error)
