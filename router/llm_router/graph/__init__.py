"""One configuration → one generation: the whole object graph, built from what is handed in."""

from __future__ import annotations

from .build import build
from .surroundings import Surroundings

__all__ = ["Surroundings", "build"]
