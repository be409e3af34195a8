"""Who may read ``/metrics`` on a listener that others reach: with a token configured, whoever shows it."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from starlette.types import Scope

from .guard import Refusal

PATH = "/metrics"
NO_TOKEN = "metrics_token_required"  # noqa: S105 - its code


def judge_scrape(token: str | None) -> Callable[[Scope], Refusal | None] | None:
    """For ``Guard``: refuses ``/metrics`` without ``Authorization: Bearer`` and the token. Probes beside it have none,
    and need none. ``None`` where everybody may read."""
    if token is None:
        return None
    wanted = token.encode()

    def judge(scope: Scope) -> Refusal | None:
        shown = _shown(scope)
        if scope["path"] != PATH or (shown and hmac.compare_digest(shown, wanted)):
            return None
        return Refusal(401, NO_TOKEN, "metrics are for who sends the token as Authorization: Bearer")

    return judge


def _shown(scope: Scope) -> bytes:
    """The credential of the only ``Authorization`` header, empty where there is none or another scheme."""
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    scheme, _, credential = values[0].partition(b" ") if len(values) == 1 else (b"", b"", b"")
    return credential if scheme.lower() == b"bearer" else b""
