"""Gemini's routes: content generation, whole and streamed, token counting and the list of models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from ..chat import answer
from ..dialect import Document, Frame, Refused, Reply, Request, Stream, Trouble, dump, load_object
from ..models import GEMINI, GeminiModel, by_name
from .answers import JSON, as_array, as_events, blocked, chunks, token_count, whole
from .errors import invalid_key, refused, trouble
from .request import read_ask, read_count

KEY = "sk-standin-gemini"

_PATH = re.compile(r"^/(?P<version>v1|v1beta)/models(/(?P<model>[^/:]+)(:(?P<method>\w+))?)?$")
_GENERATE, _STREAM, _COUNT = "generateContent", "streamGenerateContent", "countTokens"


class _Route(Struct, frozen=True):
    version: str
    model: str | None
    method: str | None


class Gemini:
    """Serves ``models`` to callers who know one of ``keys``, as ``x-goog-api-key`` or as ``key`` in the query."""

    name = "gemini"
    ping = b": keep-alive\r\n\r\n"
    max_body = 20 * 1024 * 1024

    def __init__(self, keys: Sequence[str] = (KEY,), models: Sequence[GeminiModel] = GEMINI) -> None:
        self._keys = frozenset(keys)
        self._models = by_name(models)
        self._default = models[0]

    def generates(self, request: Request) -> bool:
        route = _route(request)
        return request.method == "POST" and route is not None and route.method in (_GENERATE, _STREAM)

    def reply(self, request: Request) -> Reply:
        route = _route(request)
        if route is None or (route.method is None) != (request.method == "GET"):
            raise Refused(Document(body=b"<title>Error 404 (Not Found)</title>", status=404, content_type="text/html"))
        try:
            self._authenticate(request)
            return self._answer(route, request)
        except Refused as refusal:
            raise Refused(_in_form(refusal.reply, route, request)) from None

    def trouble(self, kind: Trouble, request: Request, *, status: int = 500, retry_after: str | None = None) -> Reply:
        route = _route(request) or _Route("v1", None, None)
        if kind == "content_policy":
            return _answered([(blocked(self._default), 0)], route, request)
        return _in_form(trouble(kind, self._default, status=status, retry_after=retry_after), route, request)

    def error_frame(self) -> Frame:
        return Frame(data=b"data: " + trouble("overloaded", self._default).body + b"\r\n\r\n")

    def _authenticate(self, request: Request) -> None:
        key = request.header("x-goog-api-key") or request.parameter("key")
        if key is None:
            said = "Method doesn't allow unregistered callers (callers without established identity)."
            raise refused(f"{said} Please use API Key or other form of API consumer identity.", status=403)
        if key not in self._keys:
            raise invalid_key()

    def _answer(self, route: _Route, request: Request) -> Reply:
        if route.model is None:
            return _document({"models": [_model_card(model) for model in self._models.values()]})
        model = self._models.get(route.model)
        if model is None or (route.method or _GENERATE) not in (_GENERATE, _STREAM, _COUNT):
            text = f"models/{route.model} is not found for API version {route.version}"
            raise refused(f"{text}, or is not supported for {route.method}. Call ListModels.", status=404)
        if route.method is None:
            return _document(_model_card(model))
        return self._run(model, route, request)

    def _run(self, model: GeminiModel, route: _Route, request: Request) -> Reply:
        try:
            fields = load_object(request.body)
        except ValueError:
            raise Refused(trouble("malformed_json", self._default)) from None
        if route.method == _COUNT:
            return _document(token_count(read_count(fields)))
        ask = read_ask(fields, model)
        said = answer(ask)
        if route.method == _GENERATE:
            return _document(whole(ask, model, said), tokens=said.tokens)
        return _answered(list(chunks(ask, model, said)), route, request)


def _route(request: Request) -> _Route | None:
    found = _PATH.match(request.path)
    return _Route(found["version"], found["model"], found["method"]) if found else None


def _wants_events(request: Request) -> bool:
    return request.parameter("alt") == "sse"


def _answered(responses: Sequence[tuple[dict[str, Any], int]], route: _Route, request: Request) -> Document | Stream:
    if route.method != _STREAM:
        return _document(responses[0][0])
    return as_events(responses) if _wants_events(request) else as_array(responses)


def _in_form(reply: Reply, route: _Route, request: Request) -> Reply:
    """An error of a stream that is a JSON array comes as the array's only element."""
    if route.method != _STREAM or _wants_events(request) or not isinstance(reply, Document):
        return reply
    return Document(body=b"[" + reply.body + b"]\n", status=reply.status, content_type=reply.content_type)


def _document(body: dict[str, Any], *, tokens: int = 0) -> Document:
    return Document(body=dump(body), content_type=JSON, tokens=tokens)


def _model_card(model: GeminiModel) -> dict[str, Any]:
    return {
        "name": f"models/{model.name}",
        "version": "001",
        "displayName": model.display_name,
        "inputTokenLimit": model.context,
        "outputTokenLimit": model.max_output,
        "supportedGenerationMethods": [_GENERATE, _COUNT],
    }
