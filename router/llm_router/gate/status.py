"""Where the gate's ``GET /cluster/status`` comes from: the exporter beside it, or else llama-server itself."""

from __future__ import annotations

import asyncio
import logging

import httpx
import msgspec

from ..exporter.pool import Pool
from ..exporter.scrape import ScrapeFailed
from ..model import ClusterStatus
from ..signals.health import MAX_BODY_BYTES, fetched

TIMEOUT_S = 2.0

logger = logging.getLogger("llm_router.gate")


class ExporterStatus:
    """The exporter's status, fetched when it is asked for. ``target`` is whom it must be about."""

    def __init__(self, url: str, target: str, client: httpx.AsyncClient) -> None:
        self._url, self._target, self._client = url, target, client

    async def __call__(self) -> bytes | None:
        try:
            return msgspec.json.encode(await self._fetch())
        except ScrapeFailed as failed:
            logger.warning("no status from %s: %s", self._url, failed)
            return None

    async def _fetch(self) -> ClusterStatus:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                code, body = await fetched(self._client, self._url, (), timeout_s=TIMEOUT_S)
        except (httpx.HTTPError, TimeoutError) as error:
            raise ScrapeFailed(str(error) or type(error).__name__) from error
        if code != 200 or len(body) > MAX_BODY_BYTES:
            raise ScrapeFailed(f"status {code}, {len(body)} bytes")
        try:
            status = msgspec.json.decode(body, type=ClusterStatus)
        except msgspec.DecodeError as error:
            raise ScrapeFailed(f"not a cluster status: {error}") from error
        if status.target != self._target:
            # Somebody else's costs would send somebody else's traffic here.
            raise ScrapeFailed(f"it speaks for {status.target!r}, this gate for {self._target!r}: see its pool setting")
        return status


class OwnStatus:
    """What the gate measures itself: speeds without a price, because a gate knows of none."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __call__(self) -> bytes | None:
        status = self._pool.status()
        return None if status is None else msgspec.json.encode(status)
