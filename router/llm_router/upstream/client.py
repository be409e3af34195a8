"""The only place that opens data-path connections.

Behind one small protocol, so that another client can take its place: ``send`` returns as soon as the answer's headers
are there, the body is read in the pieces in which it comes, and ``close`` ends the exchange at once, which is what
frees a llama.cpp slot. Every transport error leaves here as an ``AttemptFailed``; nothing is retried here but one
reconnect when a kept-alive connection turned out to be closed: it broke before a byte of the answer came, and soon.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol, Self

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ..config.hosts import resolved_fault
from ..errors import AttemptFailed, ConnectFailed, UpstreamBroken, UpstreamReset, UpstreamSilent
from .egress import Forbidden

KEEP_ALIVE_S = 4.0
"""Below the 5 s after which llama.cpp's server closes an idle connection."""

MAX_ANSWER_BYTES = 64 * 1024 * 1024


def stale_within_s(connect_timeout_s: float) -> float:
    """How soon a kept connection breaks that was dead when it was taken, one whose other end has gone without a word
    included. What breaks later was working on the request, and may charge for it."""
    return 2 * connect_timeout_s + 1


Headers = tuple[tuple[str, str], ...]


class Answer(Protocol):
    """An upstream's answer whose headers have come."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By name, whatever its case."""
        ...

    async def some(self) -> bytes:
        """The next bytes as they come, ``b""`` at the end. Raises ``UpstreamBroken`` when the body is cut."""
        ...

    async def read(self, max_bytes: int = MAX_ANSWER_BYTES) -> bytes:
        """The whole body. Raises ``UpstreamBroken`` when it is cut or larger than ``max_bytes``."""
        ...

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else close it at once."""
        ...


async def read_whole(answer: Answer, max_bytes: int) -> bytes:
    """What ``Answer.read`` promises, for every implementation."""
    parts: list[bytes] = []
    size = 0
    while data := await answer.some():
        size += len(data)
        if size > max_bytes:
            raise UpstreamBroken(f"the answer is larger than {max_bytes} bytes")
        parts.append(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class Client(Protocol):
    """Sends requests to upstreams. ``private`` says that the URL's name may lead into a private network or to this
    machine; otherwise only a public address is connected to, and to what is never a target nobody is
    (``config.hosts.resolved_fault``). ``anew`` makes the headers of the one reconnect, where they count only once."""

    async def send(
        self,
        method: str,
        url: URL,
        headers: Headers,
        body: bytes,
        tls: ssl.SSLContext,
        *,
        private: bool = False,
        anew: Callable[[], Headers] | None = None,
    ) -> Answer: ...


class _AiohttpAnswer:
    __slots__ = ("_eof", "_response")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._eof = False

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        return self._response.headers

    async def some(self) -> bytes:
        try:
            data = await self._response.content.readany()
        except aiohttp.ClientPayloadError as exc:
            raise UpstreamBroken("the answer was cut") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise UpstreamBroken(f"the connection broke: {str(exc) or type(exc).__name__}") from exc
        if not data:
            self._eof = True
        return data

    async def read(self, max_bytes: int = MAX_ANSWER_BYTES) -> bytes:
        return await read_whole(self, max_bytes)

    def close(self) -> None:
        if self._eof or self._response.content.is_eof():
            self._response.release()
        else:
            self._response.close()


class _Sending:
    """One request on its way out. ``fresh``: a connection had to be opened for it."""

    __slots__ = ("fresh", "host", "private")

    def __init__(self, host: str, *, private: bool) -> None:
        self.host, self.private, self.fresh = host, private, False


# aiohttp asks a socket factory with nothing but the address. Its tracing would say more, at 20 µs of CPU a request.
_sending: ContextVar[_Sending] = ContextVar("_sending")


def _new_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    sending = _sending.get()
    sending.fresh = True
    family, kind, protocol, _name, (ip, *_rest) = address
    if (fault := resolved_fault(sending.host, str(ip), private=sending.private)) is not None:
        raise Forbidden(f"{sending.host} is {ip}: {fault}")
    return socket.socket(family, kind, protocol)


class AiohttpClient:
    """The client on aiohttp: keep-alive pools, TLS, no redirects, no proxies, no cookies, nothing decompressed.

    Use as an async context manager; it must be entered inside the running loop.
    """

    def __init__(self, *, connect_timeout_s: float) -> None:
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout_s)
        self._stale_within_s = stale_within_s(connect_timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=KEEP_ALIVE_S, enable_cleanup_closed=False, socket_factory=_new_socket
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=self._timeout,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            read_bufsize=256 * 1024,
        )
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(
        self,
        method: str,
        url: URL,
        headers: Headers,
        body: bytes,
        tls: ssl.SSLContext,
        *,
        private: bool = False,
        anew: Callable[[], Headers] | None = None,
    ) -> Answer:
        sending = _Sending(url.raw_host or "", private=private)
        _sending.set(sending)
        asked_at = time.monotonic()
        try:
            return await self._send(method, url, headers, body, tls)
        except UpstreamReset:
            # A kept-alive connection that the upstream had closed meanwhile: nobody has read the request. On a fresh
            # connection the same error is the target's own, and what follows is for the failover to decide.
            if sending.fresh or time.monotonic() - asked_at > self._stale_within_s:
                raise
        return await self._send(method, url, headers if anew is None else anew(), body, tls)

    async def _send(self, method: str, url: URL, headers: Headers, body: bytes, tls: ssl.SSLContext) -> Answer:
        if self._session is None:
            raise RuntimeError("the client is not open: use it as an async context manager")
        try:
            response = await self._session.request(
                method,
                url,
                headers=CIMultiDict(headers),
                data=body or None,
                allow_redirects=False,
                ssl=tls,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise _failure(exc) from exc
        return _AiohttpAnswer(response)


def _failure(exc: Exception) -> AttemptFailed:
    """The one seam at which aiohttp's errors become ours."""
    if isinstance(exc, aiohttp.ConnectionTimeoutError):
        return UpstreamSilent("connect")
    if isinstance(exc, aiohttp.ClientConnectorError):
        return ConnectFailed(str(exc))
    if isinstance(exc, aiohttp.ClientResponseError | aiohttp.InvalidURL):
        return UpstreamBroken(f"not an HTTP answer: {exc}")
    return UpstreamReset(f"the connection broke before the answer: {str(exc) or type(exc).__name__}")
