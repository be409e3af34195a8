"""How requests are routed."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from ..scalars import Count, Duration, HeaderName, ModelName, Name, NotNegative, Pause, Positive, Seconds, Text, Whole
from .base import Base

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
        Literal["capacity", "realised", "marginal"],
        "What a request is taken to cost at a cluster, where a strategy compares costs; realised is refused.",
    ] = "capacity"
    overhead_factor: Annotated[float, Meta(ge=1), "Node price times this is what a node costs."] = 1.10
    hysteresis: Hysteresis = Hysteresis()
    baseline: Annotated[
        Text | None,
        "Provider or target (owner/model) that savings are measured against. Left out, for each request the cheapest "
        "provider that may answer it.",
    ] = None


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


MidStream = Literal["error", "buffer"]


class Hedging(Base):
    """Where a target is slow another one is asked beside it, and who answers first counts. Both are charged for."""

    enabled: Annotated[bool, "Whether requests are hedged. A rule can say otherwise."] = False
    after: Annotated[
        Duration | None,
        "Silence after which another target is asked. Left out, what the target usually takes: the percentile of "
        "router.latency, to the first token of a stream, to the end of a whole answer; one not measured is waited for.",
    ] = None


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
    mid_stream: Annotated[
        MidStream,
        "What becomes of a stream that breaks after its first token: error ends it with an error event; buffer holds "
        "every answer back until it is complete, so that another target can take over. A rule can say otherwise.",
    ] = "error"
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    slow_start: Annotated[
        Pause, "Time over which a busy target that has come back gets its requests again, from a tenth of them to all."
    ] = Seconds(60)
    hedging: Hedging = Hedging()
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
        "Similarity of letters to an example, 0 to 1, from which on a prompt belongs to it.",
    ] = 0.4
    min_cosine: Annotated[
        float,
        Meta(gt=0, le=1),
        "With router.embeddings: cosine to an example, 0 to 1, from which on a prompt belongs to it.",
    ] = 0.6


class Embeddings(Base):
    """Who turns prompts into vectors, so that categories are told by what is meant."""

    target: Annotated[Text, "Cluster or provider that answers /v1/embeddings. A prompt goes there only if it may."]
    model: Annotated[ModelName, "Its embedding model."]
    timeout: Annotated[Duration, "Time that a request waits for its vector; then letters count instead."] = Seconds(0.3)


class Router(Base):
    routing_strategy: Annotated[Strategy, "How allowed targets are ordered."] = "hybrid"
    cluster_cost_threshold: Annotated[Positive, "USD per 1K tokens below which hybrid prefers a cluster."] = 0.01
    enable_external_fallback: Annotated[bool, "Whether providers answer when every cluster is down."] = True
    health_check_interval: Annotated[Duration, "Time, and one probe, in which a failing target is noticed."] = Seconds(
        30
    )
    max_latency_ms: Annotated[Count, "Recent latency in ms above which a target is passed over."] = 5000
    max_queue_depth: Annotated[Count, "Waiting requests at which a cluster is passed over."] = 10
    max_tokens: Annotated[
        Count | None,
        "Most tokens of an answer: more are lowered to it, and it is what a request gets that states none.",
    ] = None
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
    embeddings: Annotated[Embeddings | None, "Tell categories by meaning. Without it letters count."] = None
