"""Routes as an application whose errors have the shape that callers know."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..errors import RouterError
from .errors import answer_of, error_body


def application(routes: Sequence[BaseRoute]) -> Starlette:
    return Starlette(
        routes=routes,
        exception_handlers={
            RouterError: _router_error,
            HTTPException: _http_error,
            Exception: unexpected,
        },
    )


def response_of(error: RouterError) -> Response:
    status, headers, body = answer_of(error)
    response = Response(body, status)
    response.raw_headers = headers
    return response


async def _router_error(_request: Request, exc: Exception) -> Response:
    if not isinstance(exc, RouterError):
        raise TypeError(f"not a router error: {exc!r}")
    return response_of(exc)


async def _http_error(_request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    headers = dict(exc.headers or {}) if isinstance(exc, HTTPException) else {}
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "http_error")
    detail = exc.detail if isinstance(exc, HTTPException) else "error"
    return Response(error_body(status, code, f"{detail}."), status, headers, "application/json")


async def unexpected(_request: Request, _exc: Exception) -> Response:
    body = error_body(500, "internal_error", "The router failed; the operator finds the cause in its log.")
    return Response(body, 500, media_type="application/json")
