"""The keys of vLLM semantic-router's multi-cloud configuration.

https://github.com/vllm-project/semantic-router/issues/196 and its config/multi-cloud-config-example.yaml
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import field

from ..scalars import Duration, Positive, Secret, Text
from .base import Gaps, Keys


class Authentication(Keys):
    type: Literal["bearer", "api_key", "oauth", "none"]
    token: Secret | None = None
    key: Secret | None = None


class Capabilities(Keys):
    max_context_length: int | None = None
    max_tokens_per_second: float | None = None
    features: tuple[Text, ...] = ()


class Performance(Keys):
    avg_latency_ms: float | None = None
    throughput_rps: float | None = None
    availability: float | None = None


class HealthCheck(Keys):
    path: Text = "/health"
    interval: Duration | None = None
    timeout: Duration | None = None


class StaticCluster(Keys):
    name: Annotated[Text, "Give the cluster a name."]
    endpoint: Annotated[Text, "Say at which URL the cluster answers."]
    enabled: bool = True
    location: str = ""
    type: Literal["vllm", "openai", "llama.cpp"] = "vllm"
    authentication: Authentication | None = None
    models: tuple[Text, ...] = ()
    capabilities: Capabilities = Capabilities()
    performance: Performance = Performance()
    compliance: tuple[Text, ...] = ()
    cost_per_token: Positive | None = None
    health_check: HealthCheck | None = None


class RateLimit(Keys):
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class Provider(Keys):
    name: Annotated[Text, "Give the provider a name."]
    type: Annotated[Text, "Say whose API it is: openai, claude, grok, gemini, …"]
    enabled: bool = True
    endpoint: str | None = None
    location: str = ""
    authentication: Authentication | None = None
    models: tuple[Text, ...] = ()
    capabilities: Capabilities = Capabilities()
    performance: Performance = Performance()
    compliance: tuple[Text, ...] = ()
    rate_limit: RateLimit | None = None


class Discovery(Keys):
    method: Literal["static", "kubernetes", "consul", "etcd"] = "static"
    refresh_interval: Duration | None = None
    health_check_interval: Duration | None = None
    static_clusters: tuple[StaticCluster, ...] = ()


class Condition(Keys):
    type: Literal[
        "compliance_requirement",
        "data_residency",
        "latency_requirement",
        "cost_sensitivity",
        "model_requirement",
        "model",
    ]
    required_compliance: tuple[Text, ...] = ()
    required_region: Text | None = None
    max_latency_ms: int | None = None
    max_cost_per_1k_tokens: float | None = None
    required_model: Text | None = None
    models: tuple[Text, ...] = ()


class Action(Keys):
    type: Literal["route_to_cluster", "route_to_provider", "load_balance", "failover"]
    target: Text | None = None
    targets: tuple[Text, ...] = ()
    load_balance_strategy: Literal["round_robin", "weighted", "least_connections"] = "round_robin"
    failover_targets: tuple[Text, ...] = ()


class RoutingStrategy(Keys):
    name: Annotated[Text, "Give the strategy a name."]
    enabled: bool = True
    priority: int = 0
    conditions: tuple[Condition, ...] = ()
    actions: tuple[Action, ...] = ()


class CircuitBreaker(Keys):
    failure_threshold: int | None = None
    timeout: Duration | None = None
    max_requests: int | None = None


class RetryPolicy(Keys):
    max_retries: int | None = None
    retry_on_errors: tuple[Literal["timeout", "connection_error", "server_error", "rate_limit"], ...] | None = None


class FaultTolerance(Keys):
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    retry_policy: RetryPolicy = RetryPolicy()
    fallback_strategy: Literal["next_best_cluster", "default_cluster", "error"] = "next_best_cluster"
    default_fallback_cluster: Text | None = None


class InterClusterRouting(Keys):
    enabled: bool = True
    cluster_discovery: Discovery = Discovery()
    providers: tuple[Provider, ...] = ()
    routing_strategies: tuple[RoutingStrategy, ...] = ()
    fault_tolerance: FaultTolerance = FaultTolerance()


class Endpoint(Keys):
    """An endpoint of the single-cluster configuration."""

    name: Annotated[Text, "Give the endpoint a name."]
    address: Annotated[Text, "Say at which host it answers."]
    port: Annotated[int, "Say at which port it answers."]
    models: tuple[Text, ...] = ()
    weight: int = 1
    health_check_path: Text = "/health"


class ModelConfig(Keys):
    """What the single-cluster configuration says of a model."""

    preferred_endpoints: tuple[Text, ...] = ()


class SemanticRouter(Keys):
    inter_cluster_routing: InterClusterRouting | None = None
    routing_strategies: tuple[RoutingStrategy, ...] = ()
    vllm_endpoints: tuple[Endpoint, ...] = ()
    model_config: dict[Text, ModelConfig] = field(default_factory=dict)
    default_model: Text | None = None


_CLASSIFIES = "this router does not classify prompts into categories: remove it"
_THRESHOLD = "one probe decides here: remove it (fault_tolerance.circuit_breaker counts failures of requests)"
_AUTHENTICATION = {"oauth": "oauth is not yet available: use bearer or api_key"}
_BACKOFF = "the router paces its attempts itself: remove it"

GAPS: Gaps = {
    "bert_model": _CLASSIFIES,
    "classifier": _CLASSIFIES,
    "categories": _CLASSIFIES,
    "default_reasoning_effort": _CLASSIFIES,
    "reasoning_families": _CLASSIFIES,
    "semantic_cache": "there is no semantic cache: remove it, or set enabled: false",
    "tools": "tools are not chosen here: remove it, or set enabled: false",
    "prompt_guard": "there is no prompt guard: remove it, or set enabled: false",
    "api": "there is no classification API: remove it",
    "model_config": {
        "*": {
            "pricing": "what a cluster costs is said at static_clusters[].cost_per_token: remove it",
            "pii_policy": "prompts are not inspected: remove it",
            "reasoning_family": _CLASSIFIES,
        }
    },
    "inter_cluster_routing": {
        "cluster_discovery": {
            "static_clusters": {
                "*": {
                    "authentication": _AUTHENTICATION,
                    "health_check": {"unhealthy_threshold": _THRESHOLD, "healthy_threshold": _THRESHOLD},
                }
            }
        },
        "providers": {
            "*": {
                "authentication": _AUTHENTICATION,
                "rate_limit": {"burst_allowance": "limits have no allowance for bursts: remove it"},
            }
        },
        "fault_tolerance": {"retry_policy": {"backoff_multiplier": _BACKOFF, "max_backoff": _BACKOFF}},
    },
}
