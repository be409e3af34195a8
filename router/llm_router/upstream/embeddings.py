"""``POST /v1/embeddings`` at one target: texts become vectors of length 1."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ..errors import UpstreamBroken
from ..model import Target, Usage
from .sender import Sender
from .wire.base import Outgoing
from .wire.usage import tokens

MAX_BYTES = 16 * 1024 * 1024
_JSON = (("content-type", "application/json"), ("accept", "application/json"))

Vector = tuple[float, ...]


BYTES_PER_TOKEN = 4
"""What a token is taken to be where nobody counted any."""


class Embedded(Struct, frozen=True):
    """One vector for each text, in their order, and the tokens that were read: estimated where the target states none,
    or what cannot be true."""

    vectors: tuple[Vector, ...]
    usage: Usage


class _Item(Struct):
    index: int
    embedding: list[float]


class _Answer(Struct):
    data: list[_Item]
    usage: Any = None


_decode = msgspec.json.Decoder(_Answer).decode


class Embedder:
    """Asks one target, which its ``sender`` knows the way to, for embeddings."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    @property
    def target(self) -> Target:
        return self._sender.target

    async def embed(self, texts: Sequence[str], request_id: str) -> Embedded:
        """Raises ``AttemptFailed``, also for an answer that is not one vector of the same size for each text."""
        body = msgspec.json.encode({"model": self.target.model, "input": list(texts), "encoding_format": "float"})
        answer = await self._sender.send(Outgoing("/embeddings", _JSON, body), request_id)
        try:
            content = await answer.read(MAX_BYTES)
        finally:
            answer.close()
        if answer.status != 200:
            raise self._sender.refused(answer.status, answer.headers, content)
        return _understood(content, texts)


def expected_usage(texts: Sequence[str]) -> Usage:
    """What embedding them is taken to read."""
    return Usage(input_tokens=1 + sum(len(text.encode()) for text in texts) // BYTES_PER_TOKEN, estimated=True)


def _understood(content: bytes, texts: Sequence[str]) -> Embedded:
    try:
        answer = _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise UpstreamBroken(f"this is no list of embeddings: {exc}") from exc
    items = sorted(answer.data, key=lambda item: item.index)
    if [item.index for item in items] != list(range(len(texts))):
        raise UpstreamBroken(f"{len(texts)} embeddings were asked for, {len(items)} came")
    if len({len(item.embedding) for item in items}) != 1:
        raise UpstreamBroken("the embeddings differ in size")
    vectors = tuple(_of_length_1(item.embedding) for item in items)
    read = tokens(answer.usage.get("prompt_tokens")) if isinstance(answer.usage, Mapping) else None
    return Embedded(vectors, expected_usage(texts) if read is None else Usage(input_tokens=read))


def _of_length_1(values: list[float]) -> Vector:
    length = math.hypot(*values)
    if not (math.isfinite(length) and length > 0):
        raise UpstreamBroken("an embedding is no direction: all zero, or not finite")
    return tuple(value / length for value in values)
