"""The OpenAPI document of the public listener: paths, parameters and statuses in words, bodies from the types that the
code reads and answers with."""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec

from ..admission.load import ORDER
from ..routing.explain import ShownDecision
from ..routing.facts import ChatBody
from ..routing.strategies import STRATEGIES
from .errors import Error
from .health import Health
from .models import Model, ModelList

VERSION = "3.1.1"

_TEXT = {"type": "string"}
_PLAIN = {"text/plain": {"schema": _TEXT}}
_ABOVE_0 = "^0*[1-9][0-9]{0,8}$"


class WholeChoice(TypedDict):
    """The target's; other fields may stand beside these."""

    message: dict[str, Any]
    finish_reason: str


class ChatCompletion(TypedDict):
    """OpenAI's chat completion as the target gives it, with at least what the router insists on."""

    choices: list[WholeChoice]


_BODIES = (ChatBody, ChatCompletion, ShownDecision, Model, ModelList, Health, Error)

_FRAMING = (400, 414, 431, 500)
_KEYED = (*_FRAMING, 401)
_ASKED = (*_KEYED, 402, 403, 404, 408, 413, 415, 429, 503)
_SENT = (*_ASKED, 502, 504)
_ERRORS = {
    400: "The request cannot be read, asks for something that nobody can give, or is framed in a way that parsers "
    "could read differently.",
    401: "No API key, or none that counts.",
    402: "A budget is used up, or has no room for this request.",
    403: "The API key does not cover it, or a browser sends it for a foreign web page.",
    404: "Nobody answers for this model name.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    414: "The request target is too long.",
    415: "The body is not JSON in UTF-8, or compressed.",
    429: "A limit is reached.",
    431: "Too many headers, or too large.",
    500: "A fault of the router.",
    502: "Every attempt failed.",
    503: "Nobody who may answer is there, or the router has too much to do.",
    504: "No answer in time.",
}

_REQUIREMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "X-LLM-Compliance": ("Tags that the target must have, separated by commas.", _TEXT),
    "X-LLM-Region": ("A cloud region, a country code or a family that the target must lie in.", _TEXT),
    "X-LLM-Max-Latency-Ms": ("The longest time to the first token.", {"type": "string", "pattern": _ABOVE_0}),
    "X-LLM-Max-Cost-Per-1K": ("The most USD per 1K tokens, above 0.", _TEXT),
    "X-LLM-Target": ("Only this target, cluster or provider.", _TEXT),
    "X-LLM-Exact-Model": (
        "Whether only the very model may answer.",
        {"type": "string", "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|0|1)$"},
    ),
    "X-LLM-Strategy": ("Another strategy for this request.", {"type": "string", "enum": sorted(STRATEGIES)}),
    "X-LLM-Criticality": ("Who is refused first under too much load.", {"type": "string", "enum": list(ORDER)}),
    "X-LLM-Session": ("Accepted, no effect yet.", _TEXT),
}

_ANSWER_HEADERS: dict[str, tuple[str, bool]] = {
    "target": ("The target that answered.", True),
    "model": ("Its model.", True),
    "reason": ("Why it.", True),
    "attempts": ("Attempts, the answering one included.", True),
    "request-id": ("The request's id.", True),
    "cost-usd": ("USD for all attempts, or `unknown`; not on streams.", False),
    "dropped": ("Hints that the target cannot take and that were left out.", False),
}


def document(version: str) -> dict[str, Any]:
    """That of this ``version`` of the router. Without ``servers``: it is at the address that it was configured with."""
    return {
        "openapi": VERSION,
        "info": {
            "title": "LLM router",
            "version": version,
            "description": "The public listener. API keys are asked for where `access.apiKeysFile` is configured, "
            "`/metrics` is there only while the listener is on loopback.",
        },
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "parameters": {name: _parameter(name, *said) for name, said in _REQUIREMENTS.items()},
            "responses": {str(status): _answer(words, _json(Error)) for status, words in _ERRORS.items()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
            },
        },
    }


def _paths() -> dict[str, Any]:
    completion = _json(ChatCompletion) | {"text/event-stream": {}}
    refused = {"4XX": _answer("Another refusal of the target's, with its own code.", _json(Error))}
    not_ready = {"503": _answer("Not now: the text says why.", _PLAIN)}
    name = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    return {
        "/v1/chat/completions": {
            "post": _asking(
                _operation(
                    "chat", "Answer a chat request, whole or as events.", completion, _SENT, _answer_headers(), refused
                )
            )
        },
        "/v1/route": {
            "post": _asking(
                _operation("route", "Explain who would answer, without sending it.", _json(ShownDecision), _ASKED)
            )
        },
        "/v1/models": {
            "get": _keyed(_operation("models", "The model names that somebody answers for.", _json(ModelList), _KEYED))
        },
        "/v1/models/{id}": {
            "get": _keyed(_operation("model", "One of them; slashes stay as they are.", _json(Model), (*_KEYED, 404))),
            "parameters": [name],
        },
        "/health": {"get": _operation("health", "How many clusters and providers answer.", _json(Health), _FRAMING)},
        "/livez": {"get": _operation("livez", "Whether the process runs.", _PLAIN, _FRAMING)},
        "/readyz": {"get": _operation("readyz", "Whether requests are taken.", _PLAIN, _FRAMING, more=not_ready)},
        "/metrics": {"get": _operation("metrics", "Metrics in Prometheus' text format.", _PLAIN, _FRAMING)},
    }


def _asking(operation: dict[str, Any]) -> dict[str, Any]:
    """``operation`` as one that takes a chat request."""
    return _keyed(operation) | {
        "parameters": [{"$ref": f"#/components/parameters/{header}"} for header in _REQUIREMENTS],
        "requestBody": {"required": True, "content": _json(ChatBody)},
    }


def _operation(
    name: str,
    summary: str,
    content: dict[str, Any],
    errors: tuple[int, ...],
    headers: dict[str, Any] | None = None,
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    refused = {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(errors)}
    fine = _answer("As asked.", content) | ({"headers": headers} if headers else {})
    return {"operationId": name, "summary": summary, "responses": {"200": fine, **refused, **(more or {})}}


def _keyed(operation: dict[str, Any]) -> dict[str, Any]:
    return operation | {"security": [{}, {"bearer": []}, {"x-api-key": []}, {"api-key": []}]}


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": schema}


def _answer(description: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": content}


def _answer_headers() -> dict[str, Any]:
    return {
        f"x-llm-router-{name}": {"description": description, "required": required, "schema": _TEXT}
        for name, (description, required) in _ANSWER_HEADERS.items()
    }


def _json(body: type) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{body.__name__}"}}}


def _schemas() -> dict[str, Any]:
    _, found = msgspec.json.schema_components(_BODIES, ref_template="#/components/schemas/{name}")
    for name in ("value_usd", "limit_s"):  # JSON has no infinity
        found["Demand"]["properties"][name]["type"] = ["number", "null"]
    return {name: _terse(schema) for name, schema in sorted(found.items())}


def _terse(schema: Any) -> Any:
    """Without titles, which repeat names, and defaults, which are those of the type, not of a request; of descriptions
    the first paragraph."""
    if isinstance(schema, list):
        return [_terse(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {word: _terse(value) for word, value in schema.items() if word not in ("title", "default")}
    if isinstance(kept.get("description"), str):
        kept["description"] = " ".join(kept["description"].split("\n\n")[0].split())
    return kept
