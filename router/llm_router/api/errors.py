"""The one seam at which the router's errors become HTTP answers, in OpenAI's shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NotRequired, TypedDict

import msgspec

from ..errors import ClientError, NoTarget, RouterError
from ..model import Rejection
from ..routing.explain import ShownRejection, shown_rejection
from .guard import Refusal
from .reading import BodyTooLarge, BodyTooSlow

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}

RawHeaders = list[tuple[bytes, bytes]]


class ErrorDetails(TypedDict):
    """``code`` is stable, ``message`` is for people, ``param`` names the field or header at fault.
    ``rejected`` is there where no target was left."""

    message: str
    type: str
    param: str | None
    code: str
    rejected: NotRequired[list[ShownRejection]]


class Error(TypedDict):
    """Every error, in OpenAI's shape."""

    error: ErrorDetails


def error_body(
    status: int, code: str, message: str, *, param: str | None = None, rejected: Sequence[Rejection] = ()
) -> bytes:
    kind = TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    details: ErrorDetails = {"message": message, "type": kind, "param": param, "code": code}
    if rejected:
        details["rejected"] = [shown_rejection(rejection) for rejection in rejected]
    return msgspec.json.encode(Error(error=details))


def answer_of(error: RouterError) -> tuple[int, RawHeaders, bytes]:
    """Status, headers and body for an error. Raises ``TypeError`` for one that must never get here."""
    if isinstance(error, BodyTooLarge):
        error = ClientError(413, "request_too_large", f"The body is larger than {error.max_bytes} bytes.")
    elif isinstance(error, BodyTooSlow):
        error = ClientError(408, "request_timeout", f"The body did not arrive within {error.deadline_s:g} s.")
    if isinstance(error, ClientError):
        body = error_body(error.status, error.code, error.message, param=error.param)
    elif isinstance(error, NoTarget):
        body = error_body(error.status, error.code, error.message, rejected=error.rejected)
    else:
        raise TypeError(f"{type(error).__name__} has no HTTP answer") from error
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
    if isinstance(error, ClientError):
        headers += [(name.encode(), value.encode()) for name, value in error.headers]
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    elif error.status in (408, 413):
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    return error.status, headers, body


def guard_body(refusal: Refusal) -> tuple[bytes, bytes]:
    """The guard's refusals in the same shape."""
    return b"application/json", error_body(refusal.status, refusal.code, refusal.message + ".")
