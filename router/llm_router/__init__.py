"""The multi-cloud LLM router.

For routing inside one's own program the names of ``llm_router.embedded`` can be had from here; they are loaded when
they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .embedded import (
        IntelligentRouter,
        OpenAICompatibleProvider,
        ProviderMetrics,
        RoutingConstraints,
        RoutingStrategy,
    )

__version__ = "0.1.0"

__all__ = [
    "IntelligentRouter",
    "OpenAICompatibleProvider",
    "ProviderMetrics",
    "RoutingConstraints",
    "RoutingStrategy",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import embedded

    return getattr(embedded, name)
