"""The egress guard of the control plane: checks carry credentials, too."""

from __future__ import annotations

import httpx

from ..upstream.egress import permitted_addresses

_PORTS = {"http": 80, "https": 443}


class JudgingTransport(httpx.AsyncBaseTransport):
    """Resolves each request's host itself and has ``inner`` connect to an address that may be used, one after the
    other. TLS is verified, and Host says, what the URL says."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *, private: bool) -> None:
        self._inner, self._private = inner, private

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host, port = request.url.host, request.url.port or _PORTS[request.url.scheme]
        try:
            addresses = await permitted_addresses(host, port, private=self._private)
        except (OSError, UnicodeError) as exc:
            raise httpx.ConnectError(str(exc), request=request) from exc
        *others, last = (_to(request, address) for address in addresses)
        for judged in others:
            try:
                return await self._inner.handle_async_request(judged)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._inner.handle_async_request(last)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _to(request: httpx.Request, address: str) -> httpx.Request:
    host = request.url.host
    extensions = request.extensions if host == address else {**request.extensions, "sni_hostname": host.rstrip(".")}
    url = request.url.copy_with(host=address)
    return httpx.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=extensions)
