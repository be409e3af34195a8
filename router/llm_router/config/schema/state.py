"""Where what replicas share lives."""

from __future__ import annotations

from typing import Annotated, Literal

from ..scalars import Secret
from .base import Base


class StateStore(Base):
    backend: Annotated[Literal["memory", "redis"], "Only memory is available yet."] = "memory"
    url: Secret | None = None
