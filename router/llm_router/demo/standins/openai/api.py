"""OpenAI's routes: chat completions and the list of models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from ..chat import answer
from ..dialect import Document, Frame, Refused, Reply, Request, Stream, Trouble, dump, load_object
from ..models import OPENAI, OpenAIModel
from .answers import completion, frames
from .errors import refused, trouble
from .request import read_call

KEY = "sk-standin-openai"

_CHAT = "/v1/chat/completions"
_MODELS = "/v1/models"
_CREATED = 1_767_225_600


class OpenAI:
    """Serves ``models`` to callers who know one of ``keys``."""

    name = "openai"
    ping = b": keep-alive\n\n"
    max_body = 32 * 1024 * 1024

    def __init__(self, keys: Sequence[str] = (KEY,), models: Sequence[OpenAIModel] = OPENAI) -> None:
        self._keys = frozenset(keys)
        self._models = {name: model for model in models for name in (model.name, model.snapshot)}
        self._default = models[0]
        self._cards = [_model_card(model.name) for model in models]

    def generates(self, request: Request) -> bool:
        return (request.method, request.path) == ("POST", _CHAT)

    def reply(self, request: Request) -> Reply:
        self._authenticate(request)
        if self.generates(request):
            return self._chat(request)
        method, path = request.method, request.path
        if path in (_CHAT, _MODELS) and (method, path) != ("GET", _MODELS):
            raise refused(f"Not allowed to {method} on {path}.", code="method_not_supported", status=405)
        if path == _MODELS:
            return Document(body=dump({"object": "list", "data": self._cards}))
        if method == "GET" and path.startswith(_MODELS + "/"):
            model = self._known(path.removeprefix(_MODELS + "/"))
            return Document(body=dump(_model_card(model.name)))
        raise refused(f"Invalid URL ({method} {path})", status=404)

    def trouble(self, kind: Trouble, request: Request, *, status: int = 500, retry_after: str | None = None) -> Reply:
        return trouble(kind, self._default, status=status, retry_after=retry_after)

    def error_frame(self) -> Frame:
        return Frame(data=b"data: " + trouble("overloaded", self._default).body + b"\n\n")

    def _authenticate(self, request: Request) -> None:
        key = request.bearer
        if key is None:
            message = "You didn't provide an API key. You need to provide your API key in an Authorization header."
            raise refused(message, status=401)
        if key not in self._keys:
            message = f"Incorrect API key provided: {key[:3]}{'*' * 8}{key[-4:]}."
            raise refused(message, code="invalid_api_key", status=401)

    def _known(self, name: str) -> OpenAIModel:
        if name not in self._models:
            message = f"The model `{name}` does not exist or you do not have access to it."
            raise refused(message, code="model_not_found", status=404)
        return self._models[name]

    def _chat(self, request: Request) -> Reply:
        try:
            fields = load_object(request.body)
        except ValueError:
            raise Refused(trouble("malformed_json", self._default)) from None
        if not isinstance(fields.get("model"), str):
            raise refused("you must provide a model parameter")
        model = self._known(fields["model"])
        call = read_call(fields, model)
        answers = [answer(call.ask, choice) for choice in range(call.choices)]
        headers = [("x-request-id", f"req_{uuid4().hex}"), ("openai-version", "2020-10-01")]
        if call.stream:
            return Stream(frames=list(frames(call, model, answers)), headers=headers)
        body = dump(completion(call, model, answers))
        return Document(body=body, headers=headers, tokens=max(said.tokens for said in answers))


def _model_card(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "system"}
