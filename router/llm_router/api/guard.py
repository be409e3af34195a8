"""The framing guard: what no later layer should have to think about is answered here, before anything else reads the
request.

Two parsers that see different requests in the same bytes are how requests are smuggled and paths slip past rules, so
a request is taken only in the one form that all of them read alike: one well-formed Host, an origin-form target whose
path is already canonical, no transfer coding but ``chunked``, bounded headers. Header names with an underscore are
dropped, because servers behind may fold them into the ones with a hyphen.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct
from starlette.types import ASGIApp, Receive, Scope, Send

MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * 1024
MAX_TARGET_BYTES = 8 * 1024

TARGET_EXTENSION = "llm_router.request_target"
"""Key in the scope's ``extensions`` under which our protocol leaves the request target as it came in."""

_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_HEADER_OVERHEAD = len(b": \r\n")
_LENGTH_DIGITS = 18


class Refusal(Struct, frozen=True):
    """Why a request's framing is refused. ``status`` is 400, 414 or 431, for others' ``judge`` 401 or 403; ``code`` is
    stable."""

    status: int
    code: str
    message: str


Render = Callable[[Refusal], tuple[bytes, bytes]]
"""The content type and the body of the answer to a refused request."""


def plain_text(refusal: Refusal) -> tuple[bytes, bytes]:
    return b"text/plain; charset=utf-8", refusal.message.encode()


class Guard:
    """ASGI middleware. ``render`` gives errors the shape of the caller's API, ``observe`` sees each refusal, ``judge``
    is asked about what is well framed."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        render: Render = plain_text,
        observe: Callable[[Refusal], None] | None = None,
        judge: Callable[[Scope], Refusal | None] | None = None,
    ) -> None:
        self._app, self._render, self._observe, self._judge = app, render, observe, judge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = _judge_target(scope) or _judge_headers(scope["headers"])
            if refusal is None and self._judge is not None:
                refusal = self._judge(scope)
            if refusal is not None:
                await self._refuse(refusal, send)
                return
            if any(b"_" in name for name, _ in scope["headers"]):
                scope["headers"] = [pair for pair in scope["headers"] if b"_" not in pair[0]]
        await self._app(scope, receive, send)

    async def _refuse(self, refusal: Refusal, send: Send) -> None:
        if self._observe is not None:
            self._observe(refusal)
        content_type, body = self._render(refusal)
        headers = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            # Where one request ends and the next begins is not certain on this connection any more.
            (b"connection", b"close"),
        ]
        if refusal.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _judge_target(scope: Scope) -> Refusal | None:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    target: bytes = (scope.get("extensions") or {}).get(TARGET_EXTENSION) or path + b"?" + scope["query_string"]
    if len(target) > MAX_TARGET_BYTES:
        return Refusal(414, "uri_too_long", f"the request target is longer than {MAX_TARGET_BYTES} bytes")
    if not target.startswith(b"/") or b"#" in target:
        return Refusal(400, "bad_request_target", "the request target must be a path, without scheme, host or fragment")
    if not _canonical(path):
        return Refusal(
            400, "bad_path", "the path must be canonical: no '..', '//', backslash, or encoded slash, dot or percent"
        )
    return None


def _canonical(path: bytes) -> bool:
    if b"%" in path:
        low = path.lower()
        if b"%2f" in low or b"%5c" in low or b"%2e" in low or b"%25" in low or b"%00" in low:
            return False
    if b"//" in path or b"\\" in path:
        return False
    return b"/." not in path or not any(segment in (b".", b"..") for segment in path.split(b"/"))


def _judge_headers(headers: list[tuple[bytes, bytes]]) -> Refusal | None:
    size = sum(len(name) + len(value) + _HEADER_OVERHEAD for name, value in headers)
    if len(headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
        limit = f"at most {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes in all are accepted"
        return Refusal(431, "headers_too_large", limit)
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1 or _HOST.fullmatch(hosts[0]) is None:
        return Refusal(400, "bad_host", "exactly one well-formed Host header is required")
    return _judge_framing(headers)


def _judge_framing(headers: list[tuple[bytes, bytes]]) -> Refusal | None:
    lengths = [value for name, value in headers if name == b"content-length"]
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        return Refusal(400, "bad_framing", "one Content-Length or one Transfer-Encoding, not more")
    if lengths and not (lengths[0].isdigit() and len(lengths[0]) <= _LENGTH_DIGITS):
        return Refusal(400, "bad_framing", "Content-Length must be a number of bytes")
    if codings and codings[0].lower() != b"chunked":
        return Refusal(400, "bad_framing", "no transfer coding but chunked is understood")
    if (codings or (lengths and lengths[0] != b"0")) and any(name == b"upgrade" for name, _ in headers):
        # An HTTP/1.1 parser hands what follows an upgrade to another protocol: the body would be lost.
        return Refusal(400, "bad_framing", "a request with a body must not ask for an upgrade: send plain HTTP/1.1")
    return None
