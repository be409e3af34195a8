"""GET at somebody's price API: bounded, without redirects and proxies, every failure a ``PriceUnknown``."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any, TypeVar

from ...discovery.base import SourceDown
from ...discovery.http import Refused, Registry, decoded
from .base import PriceUnknown

SILENCE_S = 20.0
MAX_PAGES = 100
"""Of one answer: an API whose next page never ends is broken."""

T = TypeVar("T")


class PriceApi:
    """One API. ``url`` is where its paths begin; ``advice`` says what to do about a status, beyond the API's words."""

    def __init__(self, url: str, advice: Mapping[int, str] | None = None) -> None:
        self._registry = Registry(url, tls=ssl.create_default_context())
        self._advice = advice or {}

    async def get(self, path: str, **request: Any) -> bytes:
        """The body of a 200. ``request`` are httpx's ``params`` and ``headers``."""
        try:
            _, body = await self._registry.ask("GET", path, silence_s=SILENCE_S, **request)
        except Refused as refused:
            advice = self._advice.get(refused.status)
            message = f"{refused} ({advice})" if advice else str(refused)
            raise PriceUnknown(message, retry_after_s=refused.retry_after_s) from refused
        except SourceDown as down:
            raise PriceUnknown(str(down)) from down
        return body

    async def get_json(self, path: str, kind: type[T], **request: Any) -> T:
        body = await self.get(path, **request)
        try:
            return decoded(body, kind, f"the answer of {self._registry.url}{path.partition('?')[0]}")
        except SourceDown as down:
            raise PriceUnknown(str(down)) from down

    async def aclose(self) -> None:
        await self._registry.aclose()
