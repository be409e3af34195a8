"""Logging in to the admin listener and out of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import msgspec
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..admission.admin_credentials import AdminCredentials
from ..admission.login_tries import LoginTries
from ..admission.passwords import is_right
from ..admission.sessions import Sessions
from ..config.password_hash import PasswordHash
from ..errors import ClientError
from ..execution.settle import CLIENT_GONE
from .browsers import FOREIGN, judge_own_page
from .reading import ClientGone, read_body
from .session_cookie import clearing_cookie, session_cookie, session_in
from .ui import LOGIN_PATH

MAX_BODY_BYTES = 4096
BODY_S = 10.0

logger = logging.getLogger("llm_router.admin")


class _Given(msgspec.Struct):
    password: str


_given = msgspec.json.Decoder(_Given)


class Login:
    """``credentials`` are those in force. ``logins`` counts by result. ``clock`` is monotonic."""

    def __init__(
        self, credentials: Callable[[], AdminCredentials], logins: Counter, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.credentials, self.clock = credentials, clock
        self.sessions = Sessions()
        self._tries, self._logins = LoginTries(), logins
        self._one_at_a_time = asyncio.Semaphore(1)

    def routes(self) -> list[Route]:
        return [
            Route(LOGIN_PATH, self._log_in, methods=["POST"]),
            Route("/logout", self._log_out, methods=["POST"]),
        ]

    def is_asked(self) -> bool:
        return self.credentials().password is not None

    async def _log_in(self, request: Request) -> Response:
        known = self.credentials().password
        if known is None:
            raise ClientError(404, "not_found", "There is no password to log in with: admin.passwordHash is not set.")
        if (refusal := judge_own_page(request.scope)) is not None:
            raise ClientError(403, FOREIGN, refusal.message + ".")
        try:
            body = await read_body(request.receive, max_bytes=MAX_BODY_BYTES, deadline_s=BODY_S)
        except ClientGone:
            return Response(status_code=CLIENT_GONE)
        password = _password_in(body)
        address = request.client.host if request.client is not None else ""
        self._take_a_try(address)
        if not await self._is_right(password, known) or self.credentials().password != known:
            self._logins.labels("failed").inc()
            logger.warning("a login to the admin listener failed: wrong password, from %s", address)
            raise ClientError(401, "wrong_password", "That is not the password.")
        self._logins.labels("succeeded").inc()
        logger.info("somebody has logged in to the admin listener, from %s", address)
        self._close(request)
        return _cookie(session_cookie(self.sessions.open(known, self.clock())))

    async def _log_out(self, request: Request) -> Response:
        self._close(request)
        return _cookie(clearing_cookie())

    def _take_a_try(self, address: str) -> None:
        wait_s = self._tries.take(address, self.clock())
        if wait_s > 0:
            self._logins.labels("throttled").inc()
            message = "Too many tries to log in: wait a minute."
            raise ClientError(429, "too_many_logins", message, retry_after_s=wait_s)

    async def _is_right(self, password: str, known: PasswordHash) -> bool:
        """In a thread, and one at a time: requests keep their cores and their memory."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(is_right, password, known)

    def _close(self, request: Request) -> None:
        session_id = session_in(request.scope["headers"])
        if session_id is not None:
            self.sessions.close(session_id)


def _password_in(body: bytes) -> str:
    try:
        return _given.decode(body).password
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = 'The body must be {"password": "…"} in JSON.'
        raise ClientError(400, "invalid_request_error", message, param="password") from None


def _cookie(value: str) -> Response:
    return Response(status_code=204, headers={"set-cookie": value})
