"""``POST /v1/route``: the decision for a chat request, explained, without sending it or taking anybody's turn."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..execution.generation import Generation
from ..execution.settle import CLIENT_GONE
from ..routing.explain import as_json
from .openai import ask
from .reading import ClientGone


def route_routes(generation: Callable[[], Generation]) -> list[Route]:
    async def route(request: Request) -> Response:
        current = generation()
        try:
            asking = await ask(current, request.scope, request.receive, current.turns.peek, str(uuid.uuid4()))
        except ClientGone:
            return Response(status_code=CLIENT_GONE)
        return JSONResponse(as_json(asking.decision))

    return [Route("/v1/route", route, methods=["POST"])]
