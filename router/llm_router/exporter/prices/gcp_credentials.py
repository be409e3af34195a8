"""Google's Application Default Credentials: a key file, Workload Identity, or the account of the machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError, Problem
from ...upstream.google_transport import transport
from .base import PriceUnknown

SCOPE = "https://www.googleapis.com/auth/cloud-billing.readonly"


class DefaultCredentials:
    """Found and renewed when they are needed. Raises ``ConfigError`` where google-auth is not installed."""

    def __init__(self) -> None:
        try:
            import google.auth.exceptions

            transport()
        except ImportError as error:
            message = "give an apiKey, or install google-auth: pip install 'multicloud-llm-router[gcp]'"
            raise ConfigError([Problem("price.live", message)]) from error
        self._google: Any = google.auth
        self._found: Any = None

    async def headers(self) -> Mapping[str, str]:
        return await asyncio.to_thread(self._headers)

    def _headers(self) -> Mapping[str, str]:
        try:
            if self._found is None:
                self._found, _ = self._google.default(scopes=[SCOPE], request=transport())
            if not self._found.valid:
                self._found.refresh(transport())
        except self._google.exceptions.GoogleAuthError as error:
            raise PriceUnknown(f"no Google credentials (give price.live.apiKey, or an account): {error}") from error
        headers: dict[str, str] = {}
        self._found.apply(headers)
        return headers
