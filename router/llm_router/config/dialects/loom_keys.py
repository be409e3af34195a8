"""The keys of Loom's AI gateway.

https://github.com/josedab/loom, website/docs/ai-gateway/multi-provider.md and docs/reference/configuration.md
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import field

from ..scalars import Duration, Secret, Text
from .base import Gaps, Keys


class Cost(Keys):
    """USD per 1K tokens."""

    input_per_1k: float
    output_per_1k: float


class RateLimit(Keys):
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None


class HealthCheck(Keys):
    enabled: bool = True
    interval: Duration | None = None
    timeout: Duration | None = None
    endpoint: Text | None = None


class Shared(Keys):
    """What may stand at a provider, or at its entry under ``routing.providers``."""

    priority: int | None = None
    weight: int | None = None
    cost: Cost | None = None
    cost_per_1k_input: float | None = None
    cost_per_1k_output: float | None = None
    health_check: HealthCheck | None = None
    rate_limit: RateLimit | None = None


class Provider(Shared, kw_only=True):
    name: Annotated[Text, "Give the provider a name."]
    type: Annotated[Text, "Say whose API it is: openai, anthropic, azure, vertex, gemini, …"]
    enabled: bool = True
    api_key: Secret | None = None
    base_url: Text | None = None
    endpoint: Text | None = None
    organization: Text | None = None
    default_model: Text | None = None
    models: tuple[Text, ...] = ()
    headers: dict[Text, str] = field(default_factory=dict)
    api_version: Text | None = None
    deployments: dict[Text, Text] = field(default_factory=dict)
    project_id: Text | None = None
    location: Text | None = None
    credentials_file: Text | None = None


class Routed(Shared, kw_only=True):
    name: Annotated[Text, "Say which provider is meant."]


class CircuitBreaker(Keys):
    enabled: bool = True
    failure_threshold: int | None = None
    success_threshold: int | None = None
    timeout: Duration | None = None


class Failover(Keys):
    enabled: bool = True
    max_retries: int | None = None
    retry_codes: tuple[int, ...] | None = None
    circuit_breaker: CircuitBreaker = CircuitBreaker()


class Fallback(Keys):
    provider: Annotated[Text, "Say which provider is the last resort."]
    on_error: bool = True
    on_rate_limit: bool = True


class Latency(Keys):
    window: Duration | None = None
    percentile: float | None = None


Strategy = Literal[
    "priority",
    "round_robin",
    "weighted",
    "cost",
    "cost_optimized",
    "latency",
    "least_latency",
    "model",
    "failover",
]


class Routing(Keys):
    strategy: Strategy | None = None
    providers: tuple[Routed, ...] = ()
    latency: Latency = Latency()
    model_routes: dict[Text, Text] = field(default_factory=dict)
    failover: Failover = Failover()
    fallback: bool | Fallback | None = None


class Streaming(Keys):
    enabled: bool = True


class Gateway(Keys):
    enabled: bool = True
    providers: tuple[Provider, ...] = ()
    routing: Routing = Routing()
    model_mapping: dict[Text, dict[Text, Text]] = field(default_factory=dict)
    streaming: Streaming = Streaming()
    rate_limit: RateLimit | None = None


class Route(Keys):
    id: Text
    path: Text
    ai_gateway: bool = False


class Loom(Keys):
    ai_gateway: Gateway
    routes: tuple[Route, ...] = ()


_ANOTHER_GATEWAY = "this router serves LLM requests only: leave it with Loom, or set enabled: false"
_LISTENERS = "say where to listen with server: {host: …, port: …, tls: {…}}"

GAPS: Gaps = {
    "listeners": _LISTENERS,
    "admin": "the admin listener is on 127.0.0.1:9091: remove it",
    "upstreams": _ANOTHER_GATEWAY,
    "plugins": _ANOTHER_GATEWAY,
    "graphql": _ANOTHER_GATEWAY,
    "rate_limit": "limits for callers stand with their keys (llm-router keys create --rpm …): remove it",
    "cors": _ANOTHER_GATEWAY,
    "cache": "there is no cache of answers: remove it, or set enabled: false",
    "tracing": "tracing is not yet available: remove it, or set enabled: false",
    "metrics": "metrics are always on, at /metrics: remove it",
    "logging": "set LOG_LEVEL in the environment: remove it",
    "multi_tenancy": _ANOTHER_GATEWAY,
    "chaos": _ANOTHER_GATEWAY,
    "ebpf": _ANOTHER_GATEWAY,
    "ai_gateway": {
        "token_accounting": "tokens are always accounted for, and nowhere else stored: remove it",
        "semantic_cache": "there is no semantic cache: remove it, or set enabled: false",
        "security": "prompts are not inspected: remove it",
        "streaming": {"flush_interval": "each piece is passed on as it comes: remove it"},
    },
}
