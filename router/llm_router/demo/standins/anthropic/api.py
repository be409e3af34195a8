"""Anthropic's routes: messages, token counting and the list of models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from ..chat import answer
from ..dialect import Document, Frame, Header, Refused, Reply, Request, Stream, Trouble, dump, load_object
from ..models import ANTHROPIC, AnthropicModel, by_name
from .answers import PING, frames, message
from .errors import refused, trouble
from .request import VERSION_2023, VERSION_2026, read_call, read_count

KEY = "sk-standin-anthropic"

_MESSAGES = "/v1/messages"
_COUNT = "/v1/messages/count_tokens"
_MODELS = "/v1/models"


class Anthropic:
    """Serves ``models`` to callers who know one of ``keys``, as ``x-api-key`` or as bearer token."""

    name = "anthropic"
    ping = PING
    max_body = 32 * 1024 * 1024

    def __init__(self, keys: Sequence[str] = (KEY,), models: Sequence[AnthropicModel] = ANTHROPIC) -> None:
        self._keys = frozenset(keys)
        self._models = by_name(models)
        self._default = models[0]

    def generates(self, request: Request) -> bool:
        return (request.method, request.path) == ("POST", _MESSAGES)

    def reply(self, request: Request) -> Reply:
        self._authenticate(request)
        version = _version(request)
        method, path = request.method, request.path
        if path in (_MESSAGES, _COUNT):
            if method != "POST":
                raise refused("Method Not Allowed", status=405)
            return self._message(request, version) if path == _MESSAGES else self._count(request, version)
        if method == "GET" and path == _MODELS:
            names, cards = list(self._models), [_model_card(model) for model in self._models.values()]
            return _document({"data": cards, "has_more": False, "first_id": names[0], "last_id": names[-1]})
        if method == "GET" and path.startswith(_MODELS + "/"):
            return _document(_model_card(self._known(path.removeprefix(_MODELS + "/"))))
        raise refused("Not Found", status=404)

    def trouble(self, kind: Trouble, request: Request, *, status: int = 500, retry_after: str | None = None) -> Reply:
        return trouble(kind, self._default, status=status, retry_after=retry_after)

    def error_frame(self) -> Frame:
        return Frame(data=b"event: error\ndata: " + trouble("overloaded", self._default).body + b"\n\n")

    def _authenticate(self, request: Request) -> None:
        api_key = request.header("x-api-key")
        key = request.bearer if api_key is None else api_key
        if key is None:
            raise refused("x-api-key header is required", status=401)
        if key not in self._keys:
            raise refused("invalid bearer token" if api_key is None else "invalid x-api-key", status=401)

    def _known(self, name: str) -> AnthropicModel:
        if name not in self._models:
            raise refused(f"model: {name}", status=404)
        return self._models[name]

    def _read(self, request: Request) -> tuple[dict[str, Any], AnthropicModel]:
        try:
            fields = load_object(request.body)
        except ValueError:
            raise Refused(trouble("malformed_json", self._default)) from None
        if "model" not in fields:
            raise refused("model: Field required")
        if not isinstance(fields["model"], str):
            raise refused("model: Input should be a valid string")
        return fields, self._known(fields["model"])

    def _message(self, request: Request, version: str) -> Reply:
        fields, model = self._read(request)
        call = read_call(fields, version, model)
        said = answer(call.ask)
        if call.stream:
            return Stream(frames=list(frames(call, model, said)), headers=_headers())
        return Document(body=dump(message(call, model, said)), headers=_headers(), tokens=said.tokens)

    def _count(self, request: Request, version: str) -> Reply:
        fields, model = self._read(request)
        return _document({"input_tokens": read_count(fields, version, model)})


def _version(request: Request) -> str:
    version = request.header("anthropic-version")
    if version is None:
        raise refused("anthropic-version: header is required")
    if version not in (VERSION_2023, VERSION_2026):
        raise refused(f'anthropic-version: "{version}" is not a valid version')
    return version


def _headers() -> list[Header]:
    return [("request-id", f"req_{uuid4().hex}")]


def _document(body: dict[str, Any]) -> Document:
    return Document(body=dump(body), headers=_headers())


def _model_card(model: AnthropicModel) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.display_name,
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": model.context,
        "max_tokens": model.max_output,
    }
