"""The strategies by the names that the configuration and ``X-LLM-Strategy`` use.

Their registry is ``config.schema.Strategy``: for each name there is a module here, with a function of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import get_args

from ...config import schema
from .base import Candidate, Order, Situation, Strategy


def _load(name: str) -> Strategy:
    strategy: Strategy = getattr(import_module(f"{__name__}.{name}"), name)
    return strategy


STRATEGIES: Mapping[str, Strategy] = MappingProxyType({name: _load(name) for name in get_args(schema.Strategy)})

__all__ = ["STRATEGIES", "Candidate", "Order", "Situation", "Strategy"]
