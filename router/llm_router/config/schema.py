"""The native configuration dialect as frozen structs: YAML in camelCase, one spelling per key, unknown keys refused.

These types are the single source of the dialect: ``load`` decodes into them, ``llm-router schema`` prints their JSON
Schema, and the fragments that the cloud stacks emit are made of the same structs. The text beside a type is the key's
description in that schema; ``scalars`` says how durations, sizes and secrets are written.
"""

from __future__ import annotations

from typing import Annotated, Literal, dataclass_transform

from msgspec import Meta, Struct, field

from .scalars import (
    Bytes,
    Count,
    Duration,
    FilePath,
    HeaderName,
    HeaderValue,
    KeyId,
    ModelName,
    Name,
    NotNegative,
    Pause,
    Port,
    Positive,
    Seconds,
    Secret,
    Size,
    Tag,
    Text,
    Whole,
)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Base(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What all sections share."""


# ---------------------------------------------------------------- server, admin, access


class ServerTls(Base):
    cert_file: Annotated[FilePath, "Certificate chain in PEM."]
    key_file: Annotated[FilePath, "Private key in PEM."]


class Server(Base):
    host: Annotated[Text, "Address of the public listener. Anything but loopback needs access.apiKeysFile."] = (
        "127.0.0.1"
    )
    port: Annotated[Port, "Port of the public listener; 0 takes a free one."] = 8080
    header_timeout: Annotated[Duration, "Time a client has to send the request's header."] = Seconds(10)
    read_timeout: Annotated[Duration, "Time a client has to send the whole request."] = Seconds(30)
    write_timeout: Annotated[Duration, "Time an answer may take to be written."] = Seconds(600)
    idle_timeout: Annotated[Duration, "Time a connection without a request stays open."] = Seconds(30)
    max_body: Annotated[Size, "Largest request body; a larger one is answered 413."] = Bytes(4 * 1024 * 1024)
    workers: Annotated[Count, "Worker processes. More than 1 is not yet available."] = 1
    tls: Annotated[ServerTls | None, "Serve HTTPS."] = None


class Admin(Base):
    host: Annotated[Text, "Address of the admin listener. Loopback only."] = "127.0.0.1"
    port: Annotated[Port, "Port of the admin listener; 0 takes a free one."] = 9091


class Access(Base):
    api_keys_file: Annotated[
        FilePath | None,
        "File of API key digests (llm-router keys create). Without it the public listener is loopback only.",
    ] = None


# ---------------------------------------------------------------- router

Strategy = Literal[
    "hybrid",
    "cost",
    "latency",
    "cluster_first",
    "external_first",
    "priority",
    "round_robin",
    "weighted",
    "model",
    "failover",
    "nearest",
]
"""The registry of strategies: ``routing/strategies`` has a file of each name, with a function of that name."""


class Hysteresis(Base):
    margin: Annotated[NotNegative, "Share by which a rival must be cheaper to become the favourite."] = 0.10
    hold: Annotated[Pause, "Time for which it must be cheaper."] = Seconds(30)


class Cost(Base):
    basis: Annotated[
        Literal["capacity", "realised", "marginal"], "Which cost of a cluster decides. Only capacity is available yet."
    ] = "capacity"
    overhead_factor: Annotated[float, Meta(ge=1), "Node price times this is what a node costs."] = 1.10
    hysteresis: Hysteresis = Hysteresis()


class Latency(Base):
    window: Annotated[Duration, "Time over which latencies are remembered."] = Seconds(300)
    percentile: Annotated[float, Meta(ge=1, le=100), "Percentile of the window that decisions compare."] = 95


class Timeouts(Base):
    connect: Annotated[Duration, "Time to connect to a target, TLS included."] = Seconds(2)
    first_token: Annotated[Duration, "Time from sending to the first content token."] = Seconds(30)
    between_tokens: Annotated[Duration, "Longest silence between content tokens."] = Seconds(30)
    total: Annotated[Duration, "Time for the whole request, all attempts together."] = Seconds(600)


class CircuitBreaker(Base):
    failure_threshold: Annotated[Count, "Failures in a row that open the breaker."] = 5
    success_threshold: Annotated[Count, "Successes that close it again."] = 3
    timeout: Annotated[Duration, "Time it stays open before a request probes the target."] = Seconds(30)


class Fallback(Base):
    """Whoever is asked last, when the others have failed. Like everybody, he must meet the request's requirements."""

    target: Annotated[Text, "Cluster, provider or target (owner/model) of last resort."]
    on_error: Annotated[bool, "Whether it follows on errors, timeouts and full targets."] = True
    on_rate_limit: Annotated[bool, "Whether it follows on rate limits and used-up quotas."] = True


class Failover(Base):
    enabled: bool = True
    max_retries: Annotated[int, Meta(ge=0, le=10), "Attempts that may follow the first one."] = 2
    same_target_retries: Annotated[Whole, "How many of them may go to the target that failed."] = 1
    retry_codes: Annotated[tuple[int, ...], "HTTP statuses of a target that another attempt may follow."] = (
        408,
        429,
        500,
        502,
        503,
        504,
        529,
    )
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    fallback: Annotated[Fallback | None, "The last resort."] = None


class Category(Base):
    """Prompts of one kind, told by examples of them."""

    name: Annotated[Name, "Unique; explanations name it."]
    examples: Annotated[
        tuple[Text, ...], Meta(min_length=1), "Prompts as callers write them; several short ones work best."
    ]
    capability: Annotated[
        Literal["simple-tasks", "complex-tasks"] | None,
        "What such prompts take, whatever their own complexity; complex-tasks wins where several categories match.",
    ] = None
    min_similarity: Annotated[
        float,
        Meta(gt=0, le=1),
        "Similarity to an example, 0 to 1, from which on a prompt belongs to it. It counts letters, not meanings.",
    ] = 0.4


class Router(Base):
    routing_strategy: Annotated[Strategy, "How allowed targets are ordered."] = "hybrid"
    cluster_cost_threshold: Annotated[Positive, "USD per 1K tokens below which hybrid prefers a cluster."] = 0.01
    enable_external_fallback: Annotated[bool, "Whether providers answer when every cluster is down."] = True
    health_check_interval: Annotated[Duration, "Time between two probes of a target."] = Seconds(30)
    max_latency_ms: Annotated[Count, "Recent latency in ms above which a target is passed over."] = 5000
    max_queue_depth: Annotated[Count, "Waiting requests at which a cluster is passed over."] = 10
    client_region_header: Annotated[
        HeaderName | None,
        "Header in which a trusted proxy states the caller's region: a cloud region, a country code or a family. The "
        "proxy must overwrite what callers send.",
    ] = None
    cost: Cost = Cost()
    latency: Latency = Latency()
    timeouts: Timeouts = Timeouts()
    failover: Failover = Failover()
    model_routes: Annotated[
        dict[ModelName, Text],
        "Model name → the cluster, provider or target (owner/model) that answers for it; the strategy model puts it "
        "first. The entry default is for names that nobody answers for.",
    ] = field(default_factory=dict)
    model_mapping: Annotated[
        dict[ModelName, dict[Text, ModelName]], "Alias → for each cluster or provider the model that stands for it."
    ] = field(default_factory=dict)
    categories: Annotated[tuple[Category, ...], "Kinds of prompts that are told by examples."] = ()


# ---------------------------------------------------------------- clusters and providers


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
    min_nodes: Annotated[Whole, "Nodes that always run. 0 is not yet available."] = 1
    max_nodes: Count = 1
    cold_start: Annotated[Pause, "Time from wish to readiness of a new node."] = Seconds(90)
    idle_timeout: Annotated[Pause, "Time without requests after which a node goes."] = Seconds(600)


class ClusterTemplate(Base):
    """What clusters may have in common: all of a cluster but its name and address."""

    region: str = ""
    provider: Annotated[str, "The cloud: aws, gcp, azure, …"] = ""
    type: Annotated[Literal["llama.cpp", "vllm", "openai"], "What serves its models."] = "llama.cpp"
    cost_per_hour: Annotated[Positive | None, "USD per node-hour, used until the exporter reports a live price."] = None
    cost_per_1k_tokens: Annotated[
        Positive | None, "USD per 1K tokens: a fixed cost, instead of costPerHour and capacity."
    ] = field(name="costPer1kTokens", default=None)
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
    private: Annotated[bool, "Allow plain http and private addresses."] = False


class Cluster(ClusterTemplate, kw_only=True):
    """A self-hosted pool serving llama.cpp behind its gate."""

    name: Annotated[Name, "Unique among clusters and providers."]
    endpoint: Annotated[Text, "URL of the gate, with or without /v1. Plain http only for loopback or private: true."]


class ProviderModel(Base):
    name: ModelName
    context_length: Annotated[Count | None, "For models that the price data does not know."] = None


class RateLimit(Base):
    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    concurrent_requests: Count | None = None


class HealthCheck(Base):
    enabled: Annotated[bool, "A target that is not checked counts as healthy."] = True
    interval: Annotated[Duration | None, "Default: router.healthCheckInterval."] = None
    timeout: Duration = Seconds(5)
    endpoint: Annotated[str | None, "Path of a cheap GET. Default: the list of models."] = None


class Price(Base):
    """List price in USD per 1K tokens; overrides the price data."""

    input_per_1k: NotNegative = field(name="inputPer1k")
    output_per_1k: NotNegative = field(name="outputPer1k")


class ProviderLatency(Base):
    """What to expect until it has been measured."""

    time_to_first_token: Duration | None = None
    tokens_per_second: Positive | None = None


class Provider(Base):
    """An external API account."""

    name: Annotated[Name, "Unique among clusters and providers."]
    type: Annotated[Text, "openai, anthropic (or claude), gemini, xai (or grok), openai-compatible."]
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
    rate_limit: Annotated[RateLimit | None, "Not yet available."] = None
    health_check: HealthCheck = HealthCheck()
    price: Price | None = None
    latency: ProviderLatency | None = None
    organization: Annotated[HeaderValue | None, "Sent as OpenAI-Organization."] = None
    project: Annotated[HeaderValue | None, "Sent as OpenAI-Project."] = None
    api_version: Annotated[str | None, "Azure. Not yet available."] = None
    deployments: Annotated[dict[str, str], "Azure: model → deployment. Not yet available."] = field(
        default_factory=dict
    )
    project_id: Annotated[str | None, "Vertex. Not yet available."] = None
    location: Annotated[str | None, "Vertex. Not yet available."] = None
    credentials_file: Annotated[str | None, "Vertex. Not yet available."] = None
    private: Annotated[bool, "Allow plain http and private addresses."] = False


# ---------------------------------------------------------------- discovery, rules, state


class KubernetesDiscovery(Base):
    """Services with a label, and their EndpointSlices. Without kubeconfig and apiServer the router's own pod's account
    asks its own API server."""

    label_selector: Annotated[Text, "Which Services, and EndpointSlices, are clusters."] = "llm-router/cluster=true"
    namespaces: Annotated[tuple[Text, ...], "Where to look. Default: everywhere, which takes a ClusterRole."] = ()
    per: Annotated[Literal["service", "endpoint"], "Whether each Service is a cluster, or each endpoint behind it."] = (
        "service"
    )
    port: Annotated[Text | None, "Name or number of the port. Default: the only one, or the one called as scheme."] = (
        None
    )
    kubeconfig: Annotated[FilePath | None, "For a router outside; with a token or a client certificate in it."] = None
    context: Annotated[Text | None, "Context of the kubeconfig. Default: its current one."] = None
    api_server: Annotated[Text | None, "URL of the API server, with tokenFile and caFile."] = None
    token_file: Annotated[FilePath | None, "Bearer token, read anew for each request. Default: the pod's own."] = None
    ca_file: Annotated[FilePath | None, "CA of the API server. Default: the pod's own."] = None


class ConsulDiscovery(Base):
    """The healthy instances of one service."""

    service: Annotated[Text, "Name of the service whose instances are clusters."]
    address: Annotated[Text, "URL of a Consul agent or server."] = "http://127.0.0.1:8500"
    token: Annotated[Secret | None, "ACL token with read access to the service and its nodes."] = None
    datacenter: Annotated[Text | None, "Default: the agent's own."] = None
    passing_only: Annotated[bool, "Whether a warning check makes an instance unusable, as a critical one does."] = True
    ca_file: Annotated[FilePath | None, "CA of the agent's certificate."] = None
    private: Annotated[bool, "Allow plain http to another machine."] = False


class EtcdDiscovery(Base):
    """The keys below a prefix, each a cluster as a JSON object."""

    endpoints: Annotated[tuple[Text, ...], Meta(min_length=1), "URLs of the members; the next one where one fails."] = (
        "http://127.0.0.1:2379",
    )
    prefix: Annotated[Text, "What the keys start with; the rest of a key is the cluster's name."] = (
        "/llm-router/clusters/"
    )
    user: Annotated[Text | None, "With a password, where authentication is on."] = None
    password: Secret | None = None
    tls: Annotated[TargetTls | None, "CA and client certificate."] = None
    private: Annotated[bool, "Allow plain http to another machine."] = False


class Discovery(Base):
    method: Annotated[
        Literal["static", "kubernetes", "consul", "etcd"], "static: the clusters of this file, and no others."
    ] = "static"
    refresh_interval: Annotated[
        Duration, "Changes come at once; after this long without one the connection is proved anew."
    ] = Seconds(30)
    scheme: Annotated[Literal["https", "http"], "How clusters found by host and port are reached."] = "https"
    template: Annotated[ClusterTemplate, "What every cluster found has, where its own entry does not say."] = (
        ClusterTemplate()
    )
    kubernetes: KubernetesDiscovery | None = None
    consul: ConsulDiscovery | None = None
    etcd: EtcdDiscovery | None = None


Capability = Literal[
    "tools", "vision", "audio", "json_schema", "json_object", "n", "logprobs", "simple-tasks", "complex-tasks"
]


class Condition(Base):
    """Matches when the request demands at least this. Each type reads the keys that are named after it."""

    type: Literal[
        "compliance_requirement",
        "data_residency",
        "latency_requirement",
        "cost_sensitivity",
        "model",
        "capability",
        "complexity",
        "client_region",
        "header",
    ]
    required_compliance: Annotated[tuple[Tag, ...], "compliance_requirement: every one of these is required."] = ()
    required_region: Annotated[
        Text | None, "data_residency: the request requires this region, or one that lies within it."
    ] = None
    max_latency_ms: Annotated[Count | None, "latency_requirement: at most this is required."] = None
    max_cost_per_1k_tokens: Annotated[Positive | None, "cost_sensitivity: at most this is required."] = field(
        name="maxCostPer1kTokens", default=None
    )
    models: Annotated[tuple[ModelName, ...], "model: one of these names is asked for."] = ()
    capability: Annotated[Capability | None, "capability: the request needs it."] = None
    min_complexity: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None, "complexity: the task is at least this complex, 0 to 1."
    ] = None
    regions: Annotated[tuple[Text, ...], "client_region: the caller is in one of these."] = ()
    header: Annotated[HeaderName | None, "header: the request has it."] = None
    value: Annotated[Text | None, "header: with exactly this value; without one, any value matches."] = None


class Action(Base):
    """What a rule does. The route_to_… types put target first, load_balance spreads over targets by their weights; the
    others follow as the strategy orders them, or, where there is a failover action, its failoverTargets and nobody
    else."""

    type: Literal["route_to_cluster", "route_to_provider", "load_balance", "failover"]
    target: Annotated[Text | None, "route_to_cluster, route_to_provider: an owner's name, or owner/model."] = None
    targets: Annotated[tuple[Text, ...], "load_balance: names of owners, or owner/model."] = ()
    failover_targets: Annotated[tuple[Text, ...], "failover: who may follow, in this order."] = ()


class Rule(Base):
    name: Annotated[Name, "Unique; answers say rule:NAME."]
    priority: Annotated[int, "Higher goes first; of equals, the one that stands first."] = 0
    conditions: Annotated[tuple[Condition, ...], "All of them must match; a rule without any always does."] = ()
    actions: tuple[Action, ...] = ()


class StateStore(Base):
    backend: Annotated[Literal["memory", "redis"], "Only memory is available yet."] = "memory"
    url: Secret | None = None


class Config(Base):
    """The whole router configuration."""

    server: Annotated[Server, "The public listener."] = Server()
    admin: Annotated[Admin, "The admin listener: what the router knows and decided, statistics, reload."] = Admin()
    access: Annotated[Access, "Who may use the public listener."] = Access()
    router: Annotated[Router, "How requests are routed."] = Router()
    clusters: Annotated[tuple[Cluster, ...], "Self-hosted pools."] = ()
    external_providers: Annotated[tuple[Provider, ...], "External API accounts."] = ()
    discovery: Annotated[Discovery, "Where clusters are found beside this file."] = Discovery()
    rules: Annotated[tuple[Rule, ...], "Conditions → actions; the first that matches acts on the allowed targets."] = ()
    state: Annotated[StateStore, "Where limits, budgets and the ledger live."] = StateStore()


class Fragment(Base):
    """What one cloud stack emits: its clusters, and nothing that belongs to the router's operator.

    Fragments carry references to secrets, never secrets.
    """

    stack: Annotated[Name, "Names the stack in messages."]
    clusters: Annotated[tuple[Cluster, ...], "The pools that the stack runs."]
