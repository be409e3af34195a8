"""What a cluster says of itself: its status, fetched with a signed request, turned into signals."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable

import httpx
import msgspec
from yarl import URL

from ..model import ClusterStatus
from ..upstream.descriptors import out_of_descriptors
from ..upstream.signing import Signer
from .health import MAX_BODY_BYTES, NOBODY_BEHIND, HealthRecord, fetched

PATH = "/cluster/status"
CONTENT_TYPE = "application/json"
TIMEOUT_S = 5.0


class StatusPoll:
    """Fetches ``GET /cluster/status`` of one cluster and keeps the last good one. It owns its ``client``."""

    def __init__(
        self, *, endpoint: str, signer: Signer, client: httpx.AsyncClient, unix_time: Callable[[], float]
    ) -> None:
        self.record = HealthRecord()
        self.status: ClusterStatus | None = None
        self._url = str(URL(endpoint).origin()) + PATH
        self._signer, self._client, self._unix_time = signer, client, unix_time

    async def fetch(self) -> None:
        """Ask once; ``status`` and ``record`` tell what came of it."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status, body = await fetched(self._client, self._url, self._signed(), timeout_s=TIMEOUT_S)
        except TimeoutError:
            self._failed(f"no answer within {TIMEOUT_S:g} s", definite=False, absent=True)
            return
        except httpx.ConnectError as exc:
            if out_of_descriptors():
                return  # nobody was asked
            self._failed(f"no connection: {exc}", definite=True, absent=True)
            return
        except httpx.HTTPError as exc:
            self._failed(f"{type(exc).__name__}: {exc}", definite=False)
            return
        if status == 401:
            self._failed("the gate refuses the signature: key, clock or authority differ", definite=True)
        elif status != 200:
            absent = status in NOBODY_BEHIND
            self._failed(f"status {status}", definite=False, absent=absent)
        else:
            self._read(body, (time.perf_counter() - started) * 1000)

    def _read(self, body: bytes, latency_ms: float) -> None:
        if len(body) > MAX_BODY_BYTES:
            self._failed(f"more than {MAX_BODY_BYTES} bytes are no cluster status", definite=False)
            return
        try:
            self.status = msgspec.json.decode(body, type=ClusterStatus)
        except msgspec.DecodeError as exc:
            self._failed(f"not a cluster status: {exc}", definite=False)
        else:
            self.record.passed(latency_ms, self._unix_time())

    def _signed(self) -> list[tuple[str, str]]:
        headers = self._signer.sign(
            method="GET",
            path=PATH,
            query="",
            content_type=CONTENT_TYPE,
            body=b"",
            request_id=str(uuid.uuid4()),
            now=self._unix_time(),
        )
        return [("content-type", CONTENT_TYPE), *headers]

    async def aclose(self) -> None:
        await self._client.aclose()

    def _failed(self, error: str, *, definite: bool, absent: bool = False) -> None:
        self.record.failed(error, self._unix_time(), definite=definite, absent=absent)
