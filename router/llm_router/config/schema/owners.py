"""Who answers: self-hosted clusters and external API accounts."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from ..scalars import (
    ApiVersion,
    CloudName,
    Count,
    Day,
    DeploymentName,
    Duration,
    FilePath,
    HeaderName,
    HeaderValue,
    KeyId,
    ModelName,
    Name,
    NotNegative,
    Pause,
    Positive,
    Seconds,
    Secret,
    Tag,
    Text,
    Whole,
)
from .base import Base


class ClusterModel(Base):
    name: ModelName
    context_length: Annotated[Count | None, "Tokens that prompt and answer may have together."] = None


class TargetTls(Base):
    ca_file: Annotated[FilePath | None, "CA that the target's certificate is checked against."] = None
    cert_file: Annotated[FilePath | None, "Client certificate for mutual TLS."] = None
    key_file: Annotated[FilePath | None, "The client certificate's private key."] = None


class Capacity(Base):
    """What one node of the pool does until it has been measured."""

    slots: Annotated[Count | None, "Requests that a node generates side by side."] = None
    prefill_tokens_per_second: Annotated[Positive | None, "Prompt tokens that a node reads per second."] = None
    decode_tokens_per_second: Annotated[
        Positive | None, "Tokens generated per second and slot while all slots are busy."
    ] = None
    decode_tokens_per_second_single: Annotated[
        Positive | None, "Tokens generated per second for one request alone."
    ] = None


class Scaling(Base):
    """How many nodes the router may want of the pool (llm_router_pool_wanted); something else starts and stops them."""

    min_nodes: Annotated[Whole, "Nodes that always run; 0 where the pool may go. More are wanted if they pay."] = 1
    max_nodes: Annotated[Count, "Nodes that it may have."] = 1
    cold_start: Annotated[Pause, "Time from wish to readiness of a new node."] = Seconds(90)
    idle_timeout: Annotated[Pause, "Time without requests after which a node above minNodes is not wanted."] = Seconds(
        600
    )


class RateLimit(Base):
    """What may be used at the same time, or in any minute."""

    requests_per_minute: Count | None = None
    tokens_per_minute: Annotated[Count | None, "Prompt and answer together, reserved before they are known."] = None
    concurrent_requests: Count | None = None


class Budget(Base):
    """What may be spent in USD, by calendar in UTC."""

    daily: Positive | None = None
    monthly: Positive | None = None
    soft_percent: Annotated[float, Meta(gt=0, le=100), "Share from which on people are told."] = 80.0
    hard: Annotated[bool, "Whether what would go beyond is refused; false only tells."] = True


class ClusterTemplate(Base):
    """What clusters may have in common: all of a cluster but its name and address."""

    region: str = ""
    provider: Annotated[str, "The cloud: aws, gcp, azure, …"] = ""
    type: Annotated[Literal["llama.cpp", "vllm", "openai"], "What serves its models."] = "llama.cpp"
    cost_per_hour: Annotated[Positive | None, "USD per node-hour, used until the exporter reports a live price."] = None
    cost_per_1k_tokens: Annotated[
        Positive | None, "USD per 1K tokens: a fixed cost, instead of costPerHour and capacity."
    ] = field(name="costPer1kTokens", default=None)
    fixed_cost_per_hour: Annotated[
        NotNegative | None,
        "USD per hour beside the nodes (control plane, NAT, load balancer), this pool's share. Default: by provider, "
        "from a dated table. Decides nothing: llm-router breakeven reckons with it.",
    ] = None
    auth_type: Annotated[
        Literal["hmac", "bearer", "apiKey", "oauth", "none"], "How the router proves itself; none only on loopback."
    ] = "hmac"
    shared_secret: Annotated[
        Secret | None, "For hmac: at least 32 random bytes in base64 (openssl rand -base64 32)."
    ] = None
    key_id: Annotated[KeyId | None, "For hmac: the gate's id of this key. Default: the name and .1"] = None
    api_key: Annotated[Secret | None, "For bearer and apiKey."] = None
    tls: TargetTls | None = None
    models: Annotated[tuple[ClusterModel, ...], "What it serves. Without models it answers for every name."] = ()
    capabilities: Annotated[tuple[Text, ...], "What it is good for, such as simple-tasks."] = ()
    capacity: Capacity = Capacity()
    scaling: Scaling = Scaling()
    compliance: Annotated[tuple[Tag, ...], "What it may be used for, such as hipaa."] = ()
    priority: Annotated[Whole, "Order of the strategy priority; breaks ties elsewhere. Lower goes first."] = 1
    weight: Annotated[Whole, "Share of the strategy weighted and of load_balance; 0 takes no turns."] = 1
    rate_limit: Annotated[RateLimit | None, "Above it others are asked."] = None
    budget: Annotated[Budget | None, "Above it others are asked. Its cost must be known."] = None
    private: Annotated[bool, "Allow plain http. A cluster's name may lead into a private network in any case."] = False


class Cluster(ClusterTemplate, kw_only=True):
    """A self-hosted pool serving llama.cpp behind its gate."""

    name: Annotated[Name, "Unique among clusters and providers."]
    endpoint: Annotated[Text, "URL of the gate, with or without /v1. Plain http only for loopback or private: true."]


class HealthCheck(Base):
    enabled: Annotated[bool, "A target that is not checked counts as healthy."] = True
    interval: Annotated[Duration | None, "Default: router.healthCheckInterval."] = None
    timeout: Duration = Seconds(5)
    endpoint: Annotated[str | None, "Path of a cheap GET. Default: the list of models."] = None


class Price(Base):
    """List price in USD per 1K tokens; overrides the price data."""

    input_per_1k: NotNegative = field(name="inputPer1k")
    output_per_1k: NotNegative = field(name="outputPer1k")
    cache_read_per_1k: Annotated[NotNegative | None, "Prompt tokens found in a cache. Default: inputPer1k."] = field(
        name="cacheReadPer1k", default=None
    )
    cache_write_per_1k: Annotated[NotNegative | None, "Prompt tokens put into a cache. Default: inputPer1k."] = field(
        name="cacheWritePer1k", default=None
    )
    as_of: Annotated[Day | None, "When somebody last looked; llm-router prices check says when it is long ago."] = None


class ProviderModel(Base):
    name: ModelName
    context_length: Annotated[Count | None, "For models that the price data does not know."] = None
    price: Annotated[Price | None, "Of this model. Default: the provider's."] = None


class ProviderLatency(Base):
    """How fast a simulation has it answer; no request is decided by it."""

    time_to_first_token: Duration | None = None
    tokens_per_second: Positive | None = None


class Provider(Base):
    """An external API account."""

    name: Annotated[Name, "Unique among clusters and providers."]
    type: Annotated[Text, "openai, anthropic (or claude), gemini, azure, vertex, xai (or grok), openai-compatible."]
    enabled: bool = True
    api_key: Secret | None = None
    base_url: Annotated[str | None, "With or without the version path. Default: the vendor's own."] = None
    default_model: Annotated[ModelName | None, "Answers for names that are not in models, when models is empty."] = None
    models: tuple[ModelName | ProviderModel, ...] = ()
    priority: Annotated[Whole, "Order of the strategy priority; breaks ties elsewhere. Lower goes first."] = 1
    weight: Annotated[Whole, "Share of the strategy weighted and of load_balance; 0 takes no turns."] = 1
    region: Annotated[str, "Where it answers from: a cloud region, a country code, or a family such as eu."] = ""
    compliance: Annotated[tuple[Tag, ...], "What it may be used for, such as gdpr."] = ()
    headers: Annotated[dict[HeaderName, HeaderValue], "Sent with every request, never for credentials."] = field(
        default_factory=dict
    )
    rate_limit: Annotated[RateLimit | None, "Above it others are asked."] = None
    budget: Annotated[Budget | None, "Above it others are asked. Its price must be known."] = None
    health_check: HealthCheck = HealthCheck()
    price: Price | None = None
    latency: ProviderLatency | None = None
    organization: Annotated[HeaderValue | None, "Sent as OpenAI-Organization."] = None
    project: Annotated[HeaderValue | None, "Sent as OpenAI-Project."] = None
    api_version: Annotated[
        ApiVersion | None, "Azure: the dated API to use. Default: the v1 API, which has no date."
    ] = None
    deployments: Annotated[
        dict[ModelName, DeploymentName], "Azure: model → deployment, where that is not called as its model."
    ] = field(default_factory=dict)
    project_id: Annotated[CloudName | None, "Vertex: the Google Cloud project that pays."] = None
    location: Annotated[CloudName | None, "Vertex: the region that answers, such as europe-west4, or global."] = None
    credentials_file: Annotated[
        FilePath | None, "Vertex: an account's key file. Default: the account that the router runs as."
    ] = None
    private: Annotated[bool, "Allow plain http, and a name that leads into a private network."] = False
