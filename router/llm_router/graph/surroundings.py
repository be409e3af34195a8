"""What outlives a configuration."""

from __future__ import annotations

import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..pricing.ledger import Ledger
from ..pricing.list_prices import PriceBook
from ..state.counters import Counters
from ..state.ledger.journal import Journal
from ..telemetry.metrics import Metrics
from ..upstream.client import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What outlives a configuration: the client, trust, prices, the ledger, metrics, the counters of limits, clocks.
    ``journal`` is what keeps the ledger at rest, ``None`` where it is in memory only. ``tls`` is the context for who
    has none of his own; ``sleep`` waits between repeats."""

    client: Client
    tls: ssl.SSLContext
    prices: PriceBook
    ledger: Ledger
    journal: Journal | None = None
    metrics: Metrics
    counters: Counters
    sleep: Callable[[float], Awaitable[None]]
    clock: Callable[[], float] = time.monotonic
    unix_time: Callable[[], float] = time.time
