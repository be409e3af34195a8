"""The account that Vertex is asked as: a service account's key file, or what the router runs as.

From a key file comes a JWT, signed with its RSA key, which Google's token endpoint takes for an access token of an
hour (RFC 7523). Without a file it is Google's Application Default Credentials: the file named by
``GOOGLE_APPLICATION_CREDENTIALS``, Workload Identity, or the account of the machine.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..errors import AttemptFailed, ConfigError, ConnectFailed, Problem, RouterFull, UpstreamRefused
from .client import Headers
from .descriptors import out_of_descriptors
from .google_transport import transport

SCOPE = "https://www.googleapis.com/auth/cloud-platform"

_BROKEN = (OSError, ValueError, AttributeError, TypeError, OverflowError)
"""What google-auth lets through of files and answers that it cannot read, or that are other JSON than it expects."""


class GoogleAccount:
    """Access tokens, kept while they are good and renewed some minutes before they end.

    However many need one, a token is asked for once at a time, and to its end though nobody waits any more: a thread
    cannot be stopped. It is the account's own, because names are resolved in those of the event loop.

    Raises ``ConfigError``, at ``path``, where google-auth is not installed or ``file`` is no service account's key.
    """

    def __init__(self, file: str | None, path: str) -> None:
        try:
            import google.auth.exceptions
            import google.oauth2.service_account

            transport()
        except ImportError as error:
            message = "vertex needs google-auth: install the extra gcp"
            raise ConfigError([Problem(path, message)]) from error
        self._google: Any = google.auth
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="google-account")
        self._renewal: asyncio.Task[None] | None = None
        self._held: Any = None
        if file is not None:
            try:
                credentials: Any = google.oauth2.service_account.Credentials
                self._held = credentials.from_service_account_file(file, scopes=[SCOPE])
            except (OSError, ValueError, AttributeError) as error:  # the last for JSON that is no object
                raise ConfigError([Problem(path, f"{file} is no service account's key: {error}")]) from error

    async def headers(self) -> Headers:
        """With a token that is good now. Raises ``ConnectFailed`` where nobody could be asked for one, ``RouterFull``
        where that is for want of file descriptors, and ``UpstreamRefused`` where none was given."""
        if not self._is_fresh() and not (self._is_good() and self._renewal is not None):
            await asyncio.shield(self._renewed())
        headers: dict[str, str] = {}
        self._held.apply(headers)
        return tuple((name.lower(), value) for name, value in headers.items())

    def _renewed(self) -> asyncio.Task[None]:
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # though nobody waits
        return self._renewal

    async def _renew(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._ask)
        except (self._google.exceptions.GoogleAuthError, *_BROKEN) as error:
            if not self._is_good():  # one that is will not be for long, but long enough for this request
                raise self._failure(error) from error
        finally:
            self._renewal = None

    def _failure(self, error: Exception) -> AttemptFailed:
        if out_of_descriptors():
            return RouterFull(f"no access token could be asked for: {error}")
        unreachable = self._google.exceptions.TransportError
        if (
            isinstance(error, unreachable)
            or isinstance(error.__cause__, unreachable)
            or getattr(error, "retryable", False)
        ):
            return ConnectFailed(f"no access token could be asked for: {error}")
        return UpstreamRefused(401, "invalid_api_key", f"no access token was given: {error}")

    def _ask(self) -> None:
        request = transport()
        if self._held is None:
            self._held, _ = self._google.default(scopes=[SCOPE], request=request)
        self._held.refresh(request)

    def _is_fresh(self) -> bool:
        return self._held is not None and self._held.token_state is self._google.credentials.TokenState.FRESH

    def _is_good(self) -> bool:
        return self._held is not None and self._held.token_state is not self._google.credentials.TokenState.INVALID
