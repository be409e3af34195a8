"""Small fleets for the simulator's tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import yaml

from llm_router.config.load import parse
from llm_router.config.schema import Config
from llm_router.pricing.list_prices import PriceBook
from llm_router.simulate.comparison import Simulator
from llm_router.simulate.fleet import Fleet, NodeSpeed, PoolSpec, fleet_of
from llm_router.simulate.trace import Trace

PRICES = PriceBook(datetime(2026, 11, 21, tzinfo=UTC))

SPEED = NodeSpeed(slots=2, prefill_tokens_per_second=100, step_s=0.1, step_s_per_sequence=0.05)
"""100 prompt tokens take 1 s, a step takes 0.15 s with one sequence and 0.2 s with two."""


def pool_spec(**changes: Any) -> PoolSpec:
    usual: dict[str, Any] = {
        "name": "gpu",
        "speed": SPEED,
        "usd_per_second": 0.001,
        "min_nodes": 0,
        "max_nodes": 1,
        "cold_start_s": 30.0,
        "idle_timeout_s": 60.0,
    }
    return PoolSpec(**usual | changes)


def cluster(name: str = "gpu", **changes: Any) -> dict[str, Any]:
    """A cluster of nodes as ``SPEED`` says, 3.60 USD an hour."""
    usual: dict[str, Any] = {
        "name": name,
        "endpoint": "http://127.0.0.1:1",
        "authType": "none",
        "costPerHour": 3.6,
        "models": [{"name": f"model-{name}", "contextLength": 8192}],
        "capacity": {
            "slots": 2,
            "prefillTokensPerSecond": 100,
            "decodeTokensPerSecond": 5,
            "decodeTokensPerSecondSingle": 1 / 0.15,
        },
        "scaling": {"minNodes": 0, "maxNodes": 1, "coldStart": "30s", "idleTimeout": "60s"},
    }
    return _stated(usual | changes)


def provider(name: str = "api", **changes: Any) -> dict[str, Any]:
    """A provider that asks 0.10 USD for 1,000 prompt tokens and 1 USD for 1,000 generated ones."""
    usual: dict[str, Any] = {
        "name": name,
        "type": "openai",
        "apiKey": "placeholder",
        "models": [f"model-{name}"],
        "price": {"inputPer1k": 0.1, "outputPer1k": 1.0},
        "latency": {"timeToFirstToken": "500ms", "tokensPerSecond": 100},
    }
    return _stated(usual | changes)


def _stated(keys: dict[str, Any]) -> dict[str, Any]:
    """Without those that are ``None``."""
    return {key: value for key, value in keys.items() if value is not None}


def config(
    clusters: list[dict[str, Any]] | None = None,
    providers: list[dict[str, Any]] | None = None,
    **router: Any,
) -> Config:
    """``router`` holds keys of that section; the threshold is out of the way unless it says otherwise."""
    document = {
        "router": {"maxLatencyMs": 5000, "clusterCostThreshold": 1.0} | router,
        "clusters": [cluster()] if clusters is None else clusters,
        "externalProviders": [provider()] if providers is None else providers,
    }
    return parse(yaml.safe_dump(document)).config


def fleet(of: Config) -> Fleet:
    return fleet_of(of, PRICES)


def simulator(of: Config, trace: Trace) -> Simulator:
    return Simulator(of, trace, PRICES)
