"""etcd's JSON gateway: questions with the router's credentials, to one member after the other.

The gateway is https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/, under ``/v3`` since etcd 3.4: keys and values in
base64, 64-bit numbers as text, a watch as a stream of JSON lines.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

from msgspec import Struct

from ..config.schema import EtcdDiscovery
from .base import SourceDown
from .http import Registry, Silent, decoded

ANSWER_S = 10.0
INVALID_TOKEN = "invalid auth token"  # noqa: S105 -- etcd's words for a token that has run out


class Token(Struct, frozen=True):
    token: str


class TokenExpired(SourceDown):
    """The next question gets a new token."""


T = TypeVar("T")


class Gateway:
    """The members of one etcd. After a failure the next one is asked: revisions are the same everywhere."""

    def __init__(self, settings: EtcdDiscovery, tls: ssl.SSLContext) -> None:
        self._members = [Registry(url, tls=tls) for url in settings.endpoints]
        self._user, self._password = settings.user, settings.password
        self._at = 0
        self._token: str | None = None

    async def ask(self, path: str, question: Any, kind: type[T]) -> T:
        """The answer of the member at hand. Raises ``SourceDown``."""
        try:
            return await self._ask(path, question, kind)
        except TokenExpired:
            return await self._ask(path, question, kind)

    async def lines(self, path: str, question: Any, silence_s: float) -> AsyncGenerator[bytes, None]:
        """The lines of a stream; it ends when nothing more has come for ``silence_s``. Raises ``SourceDown``."""
        begun = False
        try:
            headers = await self._credentials()
            lines = self._member.lines("POST", path, silence_s=silence_s, json=question, headers=headers)
            async with aclosing(lines) as stream:
                async for line in stream:
                    if line:
                        begun = True
                        yield line
        except Silent as silent:
            if not begun:
                raise self.failed(str(silent)) from silent
        except SourceDown as down:
            raise self.failed(str(down)) from down

    def failed(self, message: str) -> SourceDown:
        """What to raise when the member at hand says this; the next question goes to the next one, with a new token."""
        self._token = None
        if INVALID_TOKEN in message:
            return TokenExpired(message)
        self._at = (self._at + 1) % len(self._members)
        return SourceDown(message)

    async def aclose(self) -> None:
        for member in self._members:
            await member.aclose()

    async def _ask(self, path: str, question: Any, kind: type[T]) -> T:
        try:
            headers = await self._credentials()
            _, body = await self._member.ask("POST", path, silence_s=ANSWER_S, json=question, headers=headers)
        except SourceDown as down:
            raise self.failed(str(down)) from down
        return decoded(body, kind, f"etcd's answer to {path}")

    @property
    def _member(self) -> Registry:
        return self._members[self._at]

    async def _credentials(self) -> dict[str, str]:
        if self._user is None:
            return {}
        if self._token is None:
            question = {"name": self._user, "password": str(self._password or "")}
            _, body = await self._member.ask("POST", "/v3/auth/authenticate", silence_s=ANSWER_S, json=question)
            self._token = decoded(body, Token, "etcd's answer to the password").token
        return {"authorization": self._token}
