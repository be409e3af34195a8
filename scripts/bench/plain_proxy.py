"""The proxy that one would write first: Starlette in front, httpx behind, and nothing in between.

It decides nothing, counts nothing and checks nothing; it is here as a yardstick. ``--client aiohttp`` and ``--http
h11`` change one part each, which shows what that part costs.

    python -m scripts.bench.plain_proxy --port 8080 --upstream http://127.0.0.1:9000 --key KEY
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import aiohttp
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from scripts.bench.traffic import PATH


class Upstream(Protocol):
    """A client bound to one upstream: its answer read whole, or passed on piece by piece as it comes."""

    async def whole(self, body: bytes) -> Response: ...

    async def stream(self, body: bytes) -> Response: ...

    async def aclose(self) -> None: ...


class HttpxUpstream:
    def __init__(self, url: str, key: str) -> None:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._client = httpx.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False)

    async def whole(self, body: bytes) -> Response:
        answer = await self._client.post(PATH, content=body)
        return Response(answer.content, answer.status_code, media_type=answer.headers["content-type"])

    async def stream(self, body: bytes) -> Response:
        answer = await self._client.send(self._client.build_request("POST", PATH, content=body), stream=True)

        async def pieces() -> AsyncIterator[bytes]:
            async with contextlib.aclosing(answer):
                async for piece in answer.aiter_raw():
                    yield piece

        return StreamingResponse(pieces(), answer.status_code, {"content-type": answer.headers["content-type"]})

    async def aclose(self) -> None:
        await self._client.aclose()


class AiohttpUpstream:
    def __init__(self, url: str, key: str) -> None:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._url = url + PATH
        self._session = aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0))

    async def whole(self, body: bytes) -> Response:
        async with self._session.post(self._url, data=body) as answer:
            return Response(await answer.read(), answer.status, media_type=answer.content_type)

    async def stream(self, body: bytes) -> Response:
        answer = await self._session.post(self._url, data=body)

        async def pieces() -> AsyncIterator[bytes]:
            async with answer:
                async for piece in answer.content.iter_any():
                    yield piece

        return StreamingResponse(pieces(), answer.status, {"content-type": answer.headers["content-type"]})

    async def aclose(self) -> None:
        await self._session.close()


CLIENTS: dict[str, Callable[[str, str], Upstream]] = {"httpx": HttpxUpstream, "aiohttp": AiohttpUpstream}


def create_app(upstream_url: str, key: str, client: str = "httpx") -> Starlette:
    """The proxy in front of ``upstream_url``; ``key`` takes the place of the caller's."""
    upstreams: list[Upstream] = []

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        upstreams.append(CLIENTS[client](upstream_url, key))
        yield
        await upstreams.pop().aclose()

    async def chat(request: Request) -> Response:
        body = await request.body()
        upstream = upstreams[0]
        return await (upstream.stream(body) if json.loads(body).get("stream") else upstream.whole(body))

    return Starlette(routes=[Route(PATH, chat, methods=["POST"])], lifespan=lifespan)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--client", choices=CLIENTS, default="httpx")
    parser.add_argument("--http", choices=("httptools", "h11"), default="httptools")
    options = parser.parse_args()
    app = create_app(options.upstream, options.key, options.client)
    uvicorn.run(app, port=options.port, loop="uvloop", http=options.http, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
