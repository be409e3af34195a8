"""The account that Vertex is asked as: a service account's key file, or what the router runs as.

From a key file comes a JWT, signed with its RSA key, which Google's token endpoint takes for an access token of an
hour (RFC 7523). Without a file it is Google's Application Default Credentials: the file named by
``GOOGLE_APPLICATION_CREDENTIALS``, Workload Identity, or the account of the machine.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from ..errors import ConfigError, ConnectFailed, Problem, UpstreamRefused
from .client import Headers

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TIMEOUT_S = 10.0


class GoogleAccount:
    """Access tokens, kept while they are good and renewed some minutes before they end.

    Raises ``ConfigError``, at ``path``, where google-auth is not installed or ``file`` is no service account's key.
    """

    def __init__(self, file: str | None, path: str) -> None:
        try:
            import google.auth.exceptions
            import google.auth.transport.requests
            import google.oauth2.service_account
        except ImportError as error:
            message = "vertex needs google-auth: install the extra gcp"
            raise ConfigError([Problem(path, message)]) from error
        self._google: Any = google.auth
        self._renewing = asyncio.Lock()
        self._held: Any = None
        if file is not None:
            try:
                credentials: Any = google.oauth2.service_account.Credentials
                self._held = credentials.from_service_account_file(file, scopes=[SCOPE])
            except (OSError, ValueError, AttributeError) as error:  # the last for JSON that is no object
                raise ConfigError([Problem(path, f"{file} is no service account's key: {error}")]) from error

    async def headers(self) -> Headers:
        """With a token that is good now. Raises ``ConnectFailed`` where nobody could be asked for one, and
        ``UpstreamRefused`` where none was given."""
        if not self._is_fresh() and not (self._is_good() and self._renewing.locked()):
            async with self._renewing:
                if not self._is_fresh():
                    await self._renew()
        headers: dict[str, str] = {}
        self._held.apply(headers)
        return tuple((name.lower(), value) for name, value in headers.items())

    async def _renew(self) -> None:
        exceptions = self._google.exceptions
        try:
            await asyncio.to_thread(self._ask)
        except exceptions.GoogleAuthError as error:
            if self._is_good():  # not for long, but long enough for this request
                return
            if error.retryable or isinstance(error, exceptions.TransportError):
                raise ConnectFailed(f"no access token could be asked for: {error}") from error
            raise UpstreamRefused(401, "invalid_api_key", f"no access token was given: {error}") from error

    def _ask(self) -> None:
        if self._held is None:
            self._held, _ = self._google.default(scopes=[SCOPE])
        self._held.refresh(partial(self._google.transport.requests.Request(), timeout=TIMEOUT_S))

    def _is_fresh(self) -> bool:
        return self._held is not None and self._held.token_state is self._google.credentials.TokenState.FRESH

    def _is_good(self) -> bool:
        return self._held is not None and self._held.token_state is not self._google.credentials.TokenState.INVALID
