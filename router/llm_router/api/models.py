"""``GET /v1/models`` and ``/v1/models/{id}``: the names that somebody answers for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypedDict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..admission.keys import ApiKey, authorise
from ..errors import ClientError
from ..execution.generation import Generation
from ..model import Target
from ..routing.policy import Policy
from ..routing.requirements import AUTO


class Model(TypedDict):
    """A name that somebody answers for, in OpenAI's shape. ``created`` is always 0."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(TypedDict):
    object: Literal["list"]
    data: list[Model]


def model_routes(generation: Callable[[], Generation]) -> list[Route]:
    async def listed(request: Request) -> Response:
        current = generation()
        return JSONResponse(ModelList(object="list", data=models(current, _key(current, request))))

    async def one(request: Request) -> Response:
        current = generation()
        wanted = request.path_params["id"]
        for model in models(current, _key(current, request)):
            if model["id"] == wanted:
                return JSONResponse(model)
        raise ClientError(404, "model_not_found", f"No target answers for the model {wanted[:128]!r}.", param="id")

    return [Route("/v1/models", listed), Route("/v1/models/{id:path}", one)]


def models(generation: Generation, key: ApiKey | None) -> list[Model]:
    """In OpenAI's shape, ``auto`` and its like first, then by configuration order; only what the key may use."""
    owners: dict[str, str] = dict.fromkeys((AUTO, *generation.policy.shortcuts), "llm-router")
    for target in generation.targets:
        if key is not None and key.targets is not None and not {target.name, target.owner} & key.targets:
            continue
        for name in _names(target, generation.policy):
            owners.setdefault(name, target.owner)
    return [
        {"id": name, "object": "model", "created": 0, "owned_by": owner}
        for name, owner in owners.items()
        if key is None or key.models is None or name in key.models
    ]


def _names(target: Target, policy: Policy) -> list[str]:
    routed = (model for model, route in policy.routes.items() if route == target.name)
    return [target.model, *sorted(target.aliases), *routed]


def _key(generation: Generation, request: Request) -> ApiKey | None:
    if generation.keys is None:
        return None
    return authorise(generation.keys, request.scope["headers"], generation.unix_time())
