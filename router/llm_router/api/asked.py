"""What a request to the admin listener asks for in its query."""

from __future__ import annotations

import re

from starlette.requests import Request

from ..errors import ClientError

_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)


def asked(request: Request, *known: str) -> dict[str, str]:
    """The parameters by name. Raises ``ClientError`` for one that is not ``known``."""
    given = dict(request.query_params)
    for name in sorted(given.keys() - set(known)):
        message = f"There is no parameter {name[:64]!r}; known: {', '.join(known)}."
        raise ClientError(400, "invalid_request_error", message, param=name[:64])
    return given


def asked_limit(request: Request, most: int) -> int:
    """How many are wanted: 1 to ``most``, which it is where nothing is said. Raises ``ClientError``."""
    text = asked(request, "limit").get("limit", str(most))
    limit = int(text) if _WHOLE.fullmatch(text) else 0
    if not 1 <= limit <= most:
        raise ClientError(400, "invalid_request_error", f"limit must be 1 to {most}, not {text[:64]!r}.", param="limit")
    return limit
