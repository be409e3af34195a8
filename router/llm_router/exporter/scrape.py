"""Asks one llama-server what it is and how it is doing, over its own endpoints.

``/slots`` is not asked: it is often switched off, because it shows prompts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import msgspec
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from ..errors import RouterError
from ..model import ServedModel, State
from ..upstream.descriptors import out_of_descriptors
from .census import Address
from .meter import Reading

TIMEOUT_S = 10.0
"""Metrics wait in llama-server's task queue behind the decode step that is under way, a long prompt's for instance."""

KEEP_ALIVE_S = 1.0
PREFIX = "llamacpp:"


class ScrapeFailed(RouterError):
    """llama-server gave no usable answer; the message says what to do where that is known."""


class NotAsked(ScrapeFailed):
    """The fault is this process's own, and says nothing of llama-server."""


class Facts(Struct, frozen=True):
    """What stays as it is while the process lives."""

    slots: int
    models: tuple[ServedModel, ...]


class Load(Struct, frozen=True):
    reading: Reading
    deferred: int
    """Requests that wait for a slot: llama.cpp queues without a limit and never refuses."""


class _Settings(Struct):
    n_ctx: int | None = None


class _Props(Struct):
    total_slots: int
    default_generation_settings: _Settings = msgspec.field(default_factory=_Settings)


class _Model(Struct):
    id: str


class _Models(Struct):
    data: list[_Model]


class LlamaServer:
    """One llama-server. ``clock`` is monotonic, ``client`` from ``scrape_client``, ``auth`` for whoever is in front."""

    def __init__(
        self,
        address: Address,
        *,
        client: httpx.AsyncClient,
        clock: Callable[[], float],
        auth: httpx.Auth | None = None,
    ) -> None:
        self.url = address.url.rstrip("/")
        self._headers = {"authorization": f"Bearer {address.api_key}"} if address.api_key else {}
        self._client, self._clock, self._auth = client, clock, auth

    async def state(self) -> State:
        """``up``, ``starting`` while the model loads, ``down`` without an answer. Raises ``ScrapeFailed`` for one that
        no llama-server gives, ``NotAsked``."""
        try:
            response = await self._client.get(f"{self.url}/health", auth=self._auth)
        except httpx.HTTPError as error:
            if out_of_descriptors():
                raise NotAsked(f"{self.url}/health was not asked: out of file descriptors") from error
            return "down"
        if response.status_code == 200:
            return "up"
        if response.status_code == 503:
            return "starting"
        raise self._refused("/health", response.status_code)

    async def facts(self) -> Facts:
        """Raises ``ScrapeFailed``."""
        props = decoded(await self.get("/props"), _Props)
        models = decoded(await self.get("/v1/models"), _Models)
        context_length = props.default_generation_settings.n_ctx
        return Facts(max(1, props.total_slots), tuple(ServedModel(model.id, context_length) for model in models.data))

    async def load(self) -> Load:
        """Raises ``ScrapeFailed``."""
        values = _samples((await self.get("/metrics")).text)
        try:
            reading = Reading(
                at_s=self._clock(),
                tokens=values["tokens_predicted_total"],
                token_seconds=values["tokens_predicted_seconds_total"],
                decodes=values["n_decode_total"],
                prompt_tokens=values["prompt_tokens_total"],
                prompt_seconds=values["prompt_seconds_total"],
                processing=_count(values["requests_processing"]),
            )
            return Load(reading, _count(values["requests_deferred"]))
        except KeyError as missing:
            raise ScrapeFailed(f"{self.url}/metrics lacks {PREFIX}{missing.args[0]}: is this llama.cpp?") from None

    async def get(self, path: str) -> httpx.Response:
        """A 200. Raises ``ScrapeFailed``."""
        try:
            response = await self._client.get(self.url + path, headers=self._headers, auth=self._auth)
        except httpx.HTTPError as error:
            raise ScrapeFailed(f"{self.url}{path}: {str(error) or type(error).__name__}") from error
        if response.status_code == 200:
            return response
        raise self._refused(path, response.status_code)

    def _refused(self, path: str, status: int) -> ScrapeFailed:
        advice = {401: ": the key is refused", 501: ": start llama-server with --metrics"}
        return ScrapeFailed(f"{self.url}{path} answers {status}{advice.get(status, '')}")


def scrape_client() -> httpx.AsyncClient:
    """A client for control-plane calls: no proxies from the environment, no redirects, and connections that are given
    up before llama.cpp closes them after five idle seconds."""
    return httpx.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        timeout=TIMEOUT_S,
        limits=httpx.Limits(keepalive_expiry=KEEP_ALIVE_S),
    )


def decoded(response: httpx.Response, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.DecodeError as error:
        raise ScrapeFailed(f"{response.url} is not what llama.cpp answers: {error}") from error


def _samples(text: str) -> Mapping[str, float]:
    """llama.cpp's samples by name, without their prefix. Raises ``ScrapeFailed`` for what is no metrics text."""
    try:
        return {
            sample.name.removeprefix(PREFIX): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.startswith(PREFIX)
        }
    except ValueError as error:
        raise ScrapeFailed(f"not metrics in Prometheus' text format: {error}") from error


def _count(value: float) -> int:
    return int(value) if math.isfinite(value) and value > 0 else 0
