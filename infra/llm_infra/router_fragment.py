"""What a cloud stack tells the router: its pools as a config fragment, with references to secrets and no secret.

The router merges the fragments of all stacks into the file that it loads, so that nobody types an endpoint or a price
twice. The router's JSON Schema (``llm-router schema --fragment``) is the contract; the names here are its, in Python's
spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_MODEL = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}", re.ASCII)
TAG = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where the router finds a secret. Made by the three functions below it; ``text`` is what the fragment says."""

    text: str


def from_env(variable: str) -> SecretRef:
    """A variable in the router's environment."""
    return SecretRef(f"${{{_matching(_VARIABLE, variable, 'environment variable')}}}")


def from_file(path: str) -> SecretRef:
    """A file on the router's machine, such as a mounted Kubernetes Secret."""
    if not path.startswith("/"):
        raise ValueError(f"secret file {path!r}: give the absolute path, as the router's machine has it")
    return SecretRef(f"file:{path}")


def from_secret(name: str) -> SecretRef:
    """A file of that name in the router's directory of secrets."""
    return SecretRef(f"secret:{_matching(_SECRET_NAME, name, 'secret')}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    name: str
    context_length: int

    def __post_init__(self) -> None:
        _matching(_MODEL, self.name, "model")
        _positive(self.context_length, f"model {self.name}: context_length")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What the pool is expected to do until it has been measured; speeds in tokens per second of the whole pool."""

    slots: int
    decode_tokens_per_second: float
    prefill_tokens_per_second: float | None = None

    def __post_init__(self) -> None:
        _positive(self.slots, "capacity: slots")
        _positive(self.decode_tokens_per_second, "capacity: decode_tokens_per_second")
        if self.prefill_tokens_per_second is not None:
            _positive(self.prefill_tokens_per_second, "capacity: prefill_tokens_per_second")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One pool of one Kubernetes cluster, behind its gate: what the router calls a cluster.

    ``endpoint`` is the https URL of the gate, a host of its own without a path; ``node_usd_per_hour`` is the price of
    one node (the spot price for spot pools); ``min_nodes`` always run, 0 where each may go, and
    ``cold_start_s`` is what a node takes from the wish to readiness. Raises ``ValueError`` that names what is wrong.
    """

    name: str
    endpoint: str
    cloud: str
    region: str
    node_usd_per_hour: float
    shared_secret: SecretRef
    key_id: str
    models: tuple[ServedModel, ...]
    capacity: Capacity
    min_nodes: int = 1
    max_nodes: int = 1
    cold_start_s: int | None = None
    capabilities: tuple[str, ...] = ()
    compliance: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _matching(_NAME, self.name, "pool")
        _positive(self.node_usd_per_hour, f"pool {self.name}: node_usd_per_hour")
        _positive(self.max_nodes, f"pool {self.name}: max_nodes")
        if not 0 <= self.min_nodes <= self.max_nodes:
            raise ValueError(f"pool {self.name}: min_nodes {self.min_nodes} must be from 0 to {self.max_nodes}")
        if self.cold_start_s is not None:
            _positive(self.cold_start_s, f"pool {self.name}: cold_start_s")
        _matching(_NAME, self.key_id, f"pool {self.name}: key id")
        _ = self.authority
        if not self.models:
            raise ValueError(f"pool {self.name}: name at least one model")
        for tag in self.compliance:
            _matching(TAG, tag, f"pool {self.name}: compliance tag")

    @property
    def authority(self) -> str:
        """What the pool's gate must be configured with: the host that the router's signatures name."""
        parts = urlsplit(self.endpoint)
        host = parts.hostname or ""
        if parts.scheme != "https" or "@" in parts.netloc or not HOST.fullmatch(host):
            raise ValueError(f"pool {self.name}: endpoint {self.endpoint!r} must be https://HOST, without credentials")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError(f"pool {self.name}: endpoint {self.endpoint!r} must be a host of its own, without a path")
        return host if parts.port in (None, 80, 443) else f"{host}:{parts.port}"


def render(stack: str, pools: Iterable[Pool]) -> dict[str, Any]:
    """The fragment as plain data in the contract's spelling, ordered by name: the same data for the same pools."""
    ordered = sorted(pools, key=lambda pool: pool.name)
    for first, second in pairwise(ordered):
        if first.name == second.name:
            raise ValueError(f"two pools of the stack {stack} are called {first.name}: rename one of them")
    return {"stack": _matching(_NAME, stack, "stack"), "clusters": [_cluster(pool) for pool in ordered]}


def _cluster(pool: Pool) -> dict[str, Any]:
    capacity: dict[str, Any] = {
        "slots": pool.capacity.slots,
        "decodeTokensPerSecond": pool.capacity.decode_tokens_per_second,
    }
    if pool.capacity.prefill_tokens_per_second is not None:
        capacity["prefillTokensPerSecond"] = pool.capacity.prefill_tokens_per_second
    return {
        "name": pool.name,
        "endpoint": pool.endpoint,
        "region": pool.region,
        "provider": pool.cloud,
        "type": "llama.cpp",
        "costPerHour": pool.node_usd_per_hour,
        "authType": "hmac",
        "sharedSecret": pool.shared_secret.text,
        "keyId": pool.key_id,
        "models": [{"name": model.name, "contextLength": model.context_length} for model in pool.models],
        "capabilities": list(pool.capabilities),
        "capacity": capacity,
        "scaling": _scaling(pool),
        "compliance": list(pool.compliance),
    }


def _scaling(pool: Pool) -> dict[str, Any]:
    scaling: dict[str, Any] = {"minNodes": pool.min_nodes, "maxNodes": pool.max_nodes}
    if pool.cold_start_s is not None:
        scaling["coldStart"] = f"{pool.cold_start_s}s"
    return scaling


def _matching(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"{what} {text!r}: its form must be {pattern.pattern}")
    return text


def _positive(value: float, what: str) -> None:
    if not 0 < value < float("inf"):
        raise ValueError(f"{what} must be above 0, not {value!r}")
