"""The demo's configuration, by the way that every cloud stack's takes: each emits a fragment, the fragments are merged
with what the operator writes, and the router loads the validated file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..api.serving import listen
from ..config.fragments import merge, read_fragment, render
from .pools import CONTEXT_TOKENS, Pool

THRESHOLD_USD_PER_1K = 0.002
"""``clusterCostThreshold``. Tiny models are fast and their tokens cheap: at the default no node price that an exporter
believes makes the fastest pool dear."""

PROVIDER_MODELS = {
    "openai": ("gpt-5.4-mini",),
    "anthropic": ("claude-haiku-5-5",),
    "gemini": ("gemini-3.5-flash-lite",),
}
"""Current small models of each provider: the ones that a self-hosted pool has to beat."""


@dataclass(frozen=True, kw_only=True)
class Listeners:
    """The ports that users talk to: the router's two, and the demo's own switch."""

    port: int
    admin_port: int
    control_port: int

    def check_free(self) -> None:
        """Raises ``ConfigError`` naming the option whose port somebody has."""
        for option, port in (
            ("--port", self.port),
            ("--admin-port", self.admin_port),
            ("--control-port", self.control_port),
        ):
            listen("127.0.0.1", port, path=option).close()


def fragment(pool: Pool, endpoint: str) -> dict[str, Any]:
    """What the stack of ``pool`` emits: a reference to the secret, never the secret."""
    return {
        "stack": f"{pool.cloud}-{pool.name}",
        "clusters": [
            {
                "name": pool.name,
                "endpoint": endpoint,
                "region": pool.region,
                "provider": pool.cloud,
                "type": "llama.cpp",
                "costPerHour": pool.node_usd_per_hour,
                "authType": "hmac",
                "sharedSecret": f"${{{pool.secret_variable}}}",
                "models": [{"name": pool.model, "contextLength": CONTEXT_TOKENS}],
                "capabilities": list(pool.capabilities),
                "capacity": {"slots": pool.slots, "decodeTokensPerSecond": pool.decode_tokens_per_second},
                "compliance": list(pool.compliance),
            }
        ],
    }


def operators_part(listeners: Listeners, provider_urls: Mapping[str, str]) -> dict[str, Any]:
    """What the operator writes: listeners, the router's settings, and the provider accounts."""
    return {
        "server": {"port": listeners.port},
        "admin": {"port": listeners.admin_port},
        "router": {
            "routingStrategy": "hybrid",
            "clusterCostThreshold": THRESHOLD_USD_PER_1K,
            "healthCheckInterval": "250ms",
            "cost": {"hysteresis": {"margin": 0.1, "hold": "500ms"}},
            "failover": {"circuitBreaker": {"timeout": "3s"}},
            "modelMapping": {"fast": {"openai": "gpt-5.4-mini", "aws-gpu": "tiny-router-small"}},
        },
        "externalProviders": [
            {
                "name": name,
                "type": name,
                "apiKey": f"${{{name.upper()}_API_KEY}}",
                "baseUrl": url,
                "models": list(PROVIDER_MODELS[name]),
                "region": "us",
            }
            for name, url in provider_urls.items()
        ],
    }


def write_config(folder: Path, pools: Sequence[tuple[Pool, str]], operators: Mapping[str, Any]) -> Path:
    """Fragments and the operator's part into ``folder``, merged into ``router.yaml`` there. Raises ``ConfigError``."""
    fragments = []
    for pool, endpoint in pools:
        path = folder / f"fragment-{pool.name}.yaml"
        path.write_text(yaml.safe_dump(fragment(pool, endpoint), sort_keys=False))
        fragments.append(read_fragment(str(path)))
    merged = folder / "router.yaml"
    merged.write_text(render(merge(operators, fragments), stacks=[part.stack for part in fragments]))
    return merged
