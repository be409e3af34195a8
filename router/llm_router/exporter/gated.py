"""A llama-server that only its gate can reach: asked through the gate, signed as the router signs."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator

import httpx

from ..model import ClusterStatus
from ..upstream.signing import Signer
from .census import Address
from .scrape import Facts, LlamaServer, ScrapeFailed, decoded

CONTENT_TYPE = "application/json"


class Signed(httpx.Auth):
    """``unix_time`` is what signatures are dated by."""

    def __init__(self, signer: Signer, unix_time: Callable[[], float]) -> None:
        self._signer, self._unix_time = signer, unix_time

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["content-type"] = CONTENT_TYPE
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        for name, value in self._signer.sign(
            request.method, path, query, CONTENT_TYPE, b"", str(uuid.uuid4()), self._unix_time()
        ):
            request.headers[name] = value
        yield request


class GatedServer(LlamaServer):
    """Gates pass on health, metrics and models; the rest is what they say of it themselves."""

    async def facts(self) -> Facts:
        status: ClusterStatus = decoded(await self.get("/cluster/status"), ClusterStatus)
        if status.slots_total == 0:
            raise ScrapeFailed(f"{self.url}: its gate has not measured it yet")
        return Facts(status.slots_total, status.models)


def connector(
    client: httpx.AsyncClient, *, clock: Callable[[], float], unix_time: Callable[[], float]
) -> Callable[[Address], LlamaServer]:
    """Makes a client of a server, through its gate where the address has a signer."""

    def connect(address: Address) -> LlamaServer:
        if address.signer is None:
            return LlamaServer(address, client=client, clock=clock)
        return GatedServer(address, client=client, clock=clock, auth=Signed(address.signer, unix_time))

    return connect
