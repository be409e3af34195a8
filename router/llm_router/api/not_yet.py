"""Endpoints that clients of OpenAI and Anthropic look for and that are not there yet: told apart from a wrong URL."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..errors import ClientError

PATHS = ("/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens")


def not_yet_routes() -> list[Route]:
    async def not_yet(request: Request) -> Response:
        message = f"{request.scope['path']} is not yet available: use /v1/chat/completions."
        raise ClientError(404, "not_yet_available", message)

    return [Route(path, not_yet, methods=["POST"]) for path in PATHS]
