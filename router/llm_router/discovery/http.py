"""HTTP to a registry: bounded, without redirects and proxies, and every failure a ``SourceDown``."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import msgspec

from .base import SourceDown

CONNECT_S = 5.0
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_LINE_BYTES = 8 * 1024 * 1024
_SHOWN = 200

T = TypeVar("T")


class Refused(SourceDown):
    """The registry answered with another status than 200."""

    def __init__(self, message: str, status: int, body: bytes, retry_after_s: float | None) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.status, self.body = status, body


class Silent(SourceDown):
    """Nothing came for as long as was agreed."""


class Registry:
    """A client of one registry. ``auth`` signs each request anew, so that a renewed token is used at once."""

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext,
        headers: Mapping[str, str] | None = None,
        auth: httpx.Auth | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.AsyncClient(
            follow_redirects=False, trust_env=False, verify=tls, headers=headers, auth=auth, timeout=CONNECT_S
        )

    async def ask(self, method: str, path: str, *, silence_s: float, **request: Any) -> tuple[httpx.Headers, bytes]:
        """Headers and body of a 200. ``request`` are httpx's ``params``, ``json``, ``headers``."""
        async with self._answer(method, path, silence_s, request) as response:
            return response.headers, await _body(response)

    async def lines(self, method: str, path: str, *, silence_s: float, **request: Any) -> AsyncGenerator[bytes, None]:
        """First an empty line, once the answer has begun; then its lines as they come. Raises ``Silent`` when nothing
        has come for ``silence_s``."""
        async with self._answer(method, path, silence_s, request) as response:
            yield b""
            rest = b""
            async for part in response.aiter_bytes():
                *whole, rest = (rest + part).split(b"\n")
                for line in whole:
                    if line.strip():
                        yield line
                if len(rest) > MAX_LINE_BYTES:
                    raise SourceDown(f"{self.url}{path} sends a line of more than {MAX_LINE_BYTES} bytes")
            if rest.strip():
                yield rest

    async def aclose(self) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, silence_s: float, request: Mapping[str, Any]
    ) -> AsyncGenerator[httpx.Response, None]:
        timeout = httpx.Timeout(CONNECT_S, read=silence_s)
        try:
            async with self._client.stream(method, self.url + path, timeout=timeout, **request) as response:
                if response.status_code != 200:
                    raise await self._refusal(path, response)
                yield response
        except httpx.ReadTimeout as exc:
            raise Silent(f"{self.url}{path} says nothing") from exc
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
            raise SourceDown(f"{self.url}{path}: {type(exc).__name__} {exc}".rstrip()) from exc

    async def _refusal(self, path: str, response: httpx.Response) -> Refused:
        body = await _body(response)
        said = body[:_SHOWN].decode(errors="replace")
        said = "".join(character if character.isprintable() else " " for character in said).strip()
        message = f"{self.url}{path} answers {response.status_code}" + (f": {said}" if said else "")
        return Refused(message, response.status_code, body, _seconds(response.headers.get("retry-after")))


def decoded(body: bytes | msgspec.Raw, kind: type[T], what: str) -> T:
    """``body`` as JSON of this type, numbers also as text; raises ``SourceDown`` where it is not."""
    try:
        return msgspec.json.decode(body, type=kind, strict=False)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise SourceDown(f"{what} is not what was expected: {exc}") from exc


async def _body(response: httpx.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise SourceDown(f"{response.url} answers with more than {MAX_BODY_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
