"""The way to one target: its wire, its base URL, its credentials or signature, put together once."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import Protocol

from yarl import URL

from ..errors import UpstreamRefused
from ..model import Target
from ..routing.facts import ChatRequest, bounded
from .client import Answer, Client, Headers
from .signing import Signer
from .wire.base import Outgoing, Wire

LEAST_SECRET_BYTES = 8
MASK = "***"

_FIXED: Headers = (("accept-encoding", "identity"),)


class Account(Protocol):
    """Credentials that end and are renewed."""

    async def headers(self) -> Headers:
        """Those that are good now. Raises ``AttemptFailed``."""
        ...


class Sender:
    """Sends chat requests to one target.

    ``credentials`` are fixed headers (bearer, API key, the operator's own), ``account`` has those that are not;
    ``signer`` signs each request instead, in profile ``llmr1``. ``base_url`` ends in its version path; ``private`` says
    that its name may lead into a private network. ``unix_time`` is a wall clock in seconds.
    """

    def __init__(
        self,
        *,
        target: Target,
        wire: Wire,
        base_url: str,
        client: Client,
        unix_time: Callable[[], float],
        tls: ssl.SSLContext,
        credentials: Headers = (),
        account: Account | None = None,
        signer: Signer | None = None,
        private: bool = False,
    ) -> None:
        self.target, self.wire = target, wire
        self._base, self._client, self._tls, self._private = base_url, client, tls, private
        self._headers = _FIXED + credentials
        self._account = account
        self._lent: Headers = ()
        self._signer, self._unix_time = signer, unix_time
        self._urls: dict[str, URL] = {}

    def outgoing(self, chat: ChatRequest) -> Outgoing:
        """The target's own request. Where the wire is always collected, a stream is asked for whatever the caller
        wants: only then does an upstream notice that nobody waits any more."""
        chat = bounded(chat, self.target.context_length)
        return self.wire.outgoing(chat, self.target.model, stream=chat.stream or self.wire.collects)

    async def send(self, outgoing: Outgoing, request_id: str) -> Answer:
        """The answer as soon as its headers are there. Raises ``AttemptFailed``."""
        url = self._url(outgoing.path)
        if self._account is not None:
            self._lent = await self._account.headers()
        headers = self._headers + self._lent + outgoing.headers

        def marked() -> Headers:
            return headers + self._marks(outgoing, url, request_id)

        return await self._client.send(
            "POST", url, marked(), outgoing.body, self._tls, private=self._private, anew=marked
        )

    def _marks(self, outgoing: Outgoing, url: URL, request_id: str) -> Headers:
        """What tells this request from all others: a signature counts once, so that each sending needs its own."""
        if self._signer is None:
            return (("x-request-id", request_id),)
        return self._signer.sign(
            method="POST",
            path=url.raw_path,
            query=url.raw_query_string,
            content_type=_content_type(outgoing.headers),
            body=outgoing.body,
            request_id=request_id,
            now=self._unix_time(),
        )

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
        """The wire's understanding of an error answer, ``masked``."""
        for secret in self._secrets():
            body = body.replace(secret.encode(), MASK.encode())
        return self.masked(self.wire.refused(status, headers, body))

    def masked(self, refused: UpstreamRefused) -> UpstreamRefused:
        """The same error; a credential of ours that it quotes is masked."""
        message, param = refused.message, refused.param
        for secret in self._secrets():
            message = _without(secret, message)
            param = param and _without(secret, param)
        return UpstreamRefused(
            refused.status,
            refused.code,
            message,
            param=param,
            retry_after_s=refused.retry_after_s,
            quota=refused.quota,
        )

    def _secrets(self) -> list[str]:
        values = [value.removeprefix("Bearer ") for _, value in self._headers[len(_FIXED) :] + self._lent]
        return [value for value in values if len(value) >= LEAST_SECRET_BYTES]

    def _url(self, path: str) -> URL:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(self._base + path, encoded=True)
        return url


def _content_type(headers: Headers) -> str:
    return next((value for name, value in headers if name == "content-type"), "application/json")


def _without(secret: str, text: str) -> str:
    """Also where the text was cut within it."""
    text = text.replace(secret, MASK)
    for length in range(len(secret) - 1, LEAST_SECRET_BYTES - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + MASK
    return text
