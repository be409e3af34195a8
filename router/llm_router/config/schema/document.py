"""The whole file, and what one cloud stack contributes to it."""

from __future__ import annotations

from typing import Annotated

from ..scalars import Name
from .base import Base
from .discovery import Discovery
from .ledger import LedgerStore
from .listeners import Access, Admin, Server
from .owners import Cluster, Provider
from .router import Router
from .rules import Rule
from .state import StateStore


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
    state: Annotated[StateStore, "Where limits and budgets live."] = StateStore()
    ledger: Annotated[LedgerStore, "Where the record of each request is kept."] = LedgerStore()


class Fragment(Base):
    """What one cloud stack emits: its clusters, and nothing that belongs to the router's operator.

    Fragments carry references to secrets, never secrets.
    """

    stack: Annotated[Name, "Names the stack in messages."]
    clusters: Annotated[tuple[Cluster, ...], "The pools that the stack runs."]
