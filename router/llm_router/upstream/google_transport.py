"""How Google is asked for access tokens: bounded, by nobody's proxy, and never sent elsewhere."""

from __future__ import annotations

from functools import partial
from typing import Any

TIMEOUT_S = 10.0


def transport() -> Any:
    """What google-auth sends its requests by. Raises ``ImportError`` where it, or requests, is not installed."""
    import requests
    from google.auth.transport.requests import Request

    session = requests.Session()
    session.trust_env = False  # no proxy of the environment, no .netrc
    session.max_redirects = 0  # what proves who is asking is for nobody else
    return partial(Request(session), timeout=TIMEOUT_S)
