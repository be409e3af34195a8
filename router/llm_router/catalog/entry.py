"""What the catalog says of one model, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from ..config.findings import Finding
from ..config.scalars import Count, ModelName, Positive, Tag, Text
from ..config.schema import Base

PoolKind = Literal["cpu", "gpu"]

WORKING_BYTES = 512 * 1024**2
"""What llama-server needs besides weights and cache: compute buffers and the program. A little above what it reports
for batches of 512 tokens and models of this size."""

_Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="64 lower-case hexadecimal digits")]


class WeightsFile(Base):
    uri: Annotated[Text, "https:// or oci://, with the revision or digest in it."]
    sha256: Annotated[_Sha256 | None, "Of the whole file; null while nobody knows it, and then nothing is deployed."]
    size_bytes: Count
    source: Annotated[Text, "Where the sum comes from."]


class PoolHint(Base):
    """How one node of a pool serves the model. Speeds are those of the whole node with all slots busy."""

    pool: PoolKind
    slots: Count
    context_per_slot: Count
    decode_tokens_per_second: Positive
    prefill_tokens_per_second: Positive
    measured: bool
    source: Text


class Model(Base):
    name: Annotated[ModelName, "What requests ask for, and what llama-server calls it."]
    family: Text
    parameters: Text
    licence: Annotated[Text, "SPDX identifier where there is one."]
    file: WeightsFile
    quantisation: Text
    context_length: Annotated[Count, "Tokens that the model was made for."]
    kv_bytes_per_token: Annotated[Count, "Cache that each token of context takes, in f16."]
    chat_template: Text
    capabilities: tuple[Tag, ...] = ()
    notes: Text | None = None
    pools: Annotated[tuple[PoolHint, ...], "Suggested pools; the first is the one it is meant for."] = ()

    def hint(self, pool: PoolKind) -> PoolHint | None:
        return next((hint for hint in self.pools if hint.pool == pool), None)

    def memory_bytes(self, hint: PoolHint) -> int:
        """Memory of the node, the graphics card's on a GPU pool, that the model takes there."""
        cache = self.kv_bytes_per_token * hint.slots * hint.context_per_slot
        return self.file.size_bytes + cache + WORKING_BYTES


class Catalog(Base):
    """The whole of ``catalog.yaml``."""

    models: Annotated[tuple[Model, ...], Meta(min_length=1)]

    def find(self, name: str) -> Model | None:
        return next((model for model in self.models if model.name == name), None)


def findings(catalog: Catalog) -> Iterator[Finding]:
    """What the types alone do not catch."""
    seen: dict[str, int] = {}
    for index, model in enumerate(catalog.models):
        if seen.setdefault(model.name, index) != index:
            yield Finding(("models", index, "name"), f"models[{seen[model.name]}] has the same name")
        yield from _file(model, ("models", index, "file", "uri"))
        for at, hint in enumerate(model.pools):
            if hint.context_per_slot > model.context_length:
                path = ("models", index, "pools", at, "contextPerSlot")
                yield Finding(path, f"the model was made for {model.context_length} tokens: give at most that")


def _file(model: Model, path: tuple[str | int, ...]) -> Iterator[Finding]:
    parts = urlsplit(model.file.uri)
    if parts.scheme not in ("https", "oci") or not parts.hostname or "@" in parts.netloc:
        yield Finding(path, "must be https:// or oci:// without credentials")
    elif "/resolve/main/" in parts.path:
        yield Finding(path, "names a branch, behind which the file can change: name the revision instead of main")
