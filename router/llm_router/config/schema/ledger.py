"""Where the record of each request is kept."""

from __future__ import annotations

from typing import Annotated

from ..scalars import Count, Duration, Secret
from .base import Base


class LedgerStore(Base):
    url: Annotated[
        Secret | None,
        "sqlite:///FILE, postgresql://USER:PASSWORD@HOST/DATABASE or redis://HOST. Left out, the ledger is in memory "
        "and ends with the router.",
    ] = None
    private: Annotated[bool, "Allow records to go to another machine without TLS."] = False
    retention: Annotated[
        Duration | None, "Records older than this are deleted; left out, none are. A ledger in Redis needs it."
    ] = None
    max_waiting: Annotated[
        Count, "Records that may wait while the store does not take them; what comes beyond that is lost, and counted."
    ] = 50_000
