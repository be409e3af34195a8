"""Azure OpenAI: OpenAI's chat completions, at deployments that the operator has named.

The v1 API takes the deployment as ``model``; the dated ones take it in the path and ignore ``model``.
https://learn.microsoft.com/azure/ai-services/openai/reference
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from msgspec import structs

from ...routing.facts import ChatRequest
from .base import Outgoing
from .openai import OpenAIWire, post, spliced, with_its_maximum


class AzureWire(OpenAIWire):
    """``deployments`` holds the deployment of each model that is not called as its model. ``api_version`` is the date
    of a dated API, ``None`` for v1."""

    def __init__(self, deployments: Mapping[str, str], api_version: str | None) -> None:
        super().__init__("azure")
        self._deployments, self._api_version = deployments, api_version

    def outgoing(self, chat: ChatRequest, model: str, *, stream: bool) -> Outgoing:
        deployment = self._deployments.get(model, model)
        sent = post(spliced(with_its_maximum(chat.fields, model), deployment, stream=stream), stream=stream)
        if self._api_version is None:
            return sent
        path = f"/deployments/{quote(deployment, safe='')}{sent.path}?api-version={self._api_version}"
        return structs.replace(sent, path=path)

    def credentials(self, api_key: str) -> tuple[tuple[str, str], ...]:
        return (("api-key", api_key),)
