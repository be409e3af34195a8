"""Rules: conditions and actions."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from ..scalars import Count, HeaderName, ModelName, Name, Positive, Tag, Text
from .base import Base
from .router import MidStream

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
        "category",
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
    category: Annotated[Name | None, "category: the prompt belongs to this one of router.categories."] = None
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
    actions: Annotated[tuple[Action, ...], "May be left out where the rule has a midStream or a hedge."] = ()
    mid_stream: Annotated[MidStream | None, "Default: router.failover.midStream."] = None
    hedge: Annotated[bool | None, "Whether such requests are hedged. Default: router.failover.hedging.enabled."] = None
