"""The native configuration dialect as frozen structs: YAML in camelCase, one spelling per key, unknown keys refused.

These types are the single source of the dialect: ``load`` decodes into them, ``llm-router schema`` prints their JSON
Schema, and the fragments that the cloud stacks emit are made of the same structs. The text beside a type is the key's
description in that schema; ``scalars`` says how durations, sizes and secrets are written.
"""

from __future__ import annotations

from .base import Base
from .discovery import ConsulDiscovery, Discovery, EtcdDiscovery, KubernetesDiscovery
from .document import Config, Fragment
from .ledger import LedgerStore
from .listeners import Access, Admin, Server, ServerTls
from .owners import (
    Budget,
    Capacity,
    Cluster,
    ClusterModel,
    ClusterTemplate,
    HealthCheck,
    Price,
    Provider,
    ProviderLatency,
    ProviderModel,
    RateLimit,
    Scaling,
    TargetTls,
)
from .router import (
    Category,
    CircuitBreaker,
    Cost,
    Embeddings,
    Failover,
    Fallback,
    Hysteresis,
    Latency,
    Router,
    Strategy,
    Timeouts,
)
from .rules import Action, Capability, Condition, Rule
from .state import RedisServer, StateStore

__all__ = [
    "Access",
    "Action",
    "Admin",
    "Base",
    "Budget",
    "Capability",
    "Capacity",
    "Category",
    "CircuitBreaker",
    "Cluster",
    "ClusterModel",
    "ClusterTemplate",
    "Condition",
    "Config",
    "ConsulDiscovery",
    "Cost",
    "Discovery",
    "Embeddings",
    "EtcdDiscovery",
    "Failover",
    "Fallback",
    "Fragment",
    "HealthCheck",
    "Hysteresis",
    "KubernetesDiscovery",
    "Latency",
    "LedgerStore",
    "Price",
    "Provider",
    "ProviderLatency",
    "ProviderModel",
    "RateLimit",
    "RedisServer",
    "Router",
    "Rule",
    "Scaling",
    "Server",
    "ServerTls",
    "StateStore",
    "Strategy",
    "TargetTls",
    "Timeouts",
]
