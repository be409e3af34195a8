"""Routing inside somebody's own program: the engine of the router without its server and its configuration file."""

from __future__ import annotations

from .openai_compatible import OpenAICompatibleProvider
from .registered import ChosenProvider, ProviderMetrics
from .router import IntelligentRouter
from .vocabulary import HealthChecked, Provider, RoutingConstraints, RoutingStrategy

__all__ = [
    "ChosenProvider",
    "HealthChecked",
    "IntelligentRouter",
    "OpenAICompatibleProvider",
    "Provider",
    "ProviderMetrics",
    "RoutingConstraints",
    "RoutingStrategy",
]
