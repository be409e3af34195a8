"""What every answer of the admin listener tells browsers: run nothing but our own files, show us in nobody's frame."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", CSP),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_HSTS = (b"strict-transport-security", b"max-age=31536000")
NO_STORE = (b"cache-control", b"no-store")


class PageHeaders:
    """ASGI middleware, outside of everything that answers. ``named`` says that browsers know the listener by a name of
    its own: where that is localhost, HSTS would be for whatever else runs on the machine."""

    def __init__(self, app: ASGIApp, *, named: bool) -> None:
        self._app, self._named = app, named

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *_HEADERS]
                if not any(name == NO_STORE[0] for name, _ in headers):
                    headers.append(NO_STORE)
                if self._named and scope["scheme"] == "https":
                    headers.append(_HSTS)
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with_headers)
