"""What one request came to: the ledger's unit."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ..config.moments import day_of, iso_exact
from ..model import Kind, Usage
from .money import MAX_USD, in_usd, picousd

NOBODY = "none"
"""The name under which requests are counted that no target answered, and those without a key."""


class AttemptRecord(Struct, frozen=True):
    """One send: to whom, how it ended (``ok`` or the reason of its failure), and what it will be charged for: ``None``
    where nothing came. ``cost_usd`` is ``None`` for nothing, and for what has no known price."""

    target: str
    outcome: str
    usage: Usage | None = None
    cost_usd: float | None = None


class Record(Struct, frozen=True, kw_only=True):
    """What one request came to. ``target`` is who answered (``None``: nobody) with ``usage``; ``cost_usd`` is that of
    all attempts, failed ones included; ``baseline`` the external target that the answer's tokens are priced at for
    comparison. ``None`` amounts are unknown. ``started_at`` and ``settled_at`` are Unix times.

    Raises ``ValueError`` for an amount that is NaN, negative or above ``MAX_USD``."""

    request_id: str
    started_at: float
    settled_at: float
    target: str | None
    kind: Kind | None
    model: str
    reason: str
    status: int
    attempts: tuple[AttemptRecord, ...] = ()
    usage: Usage = Usage()
    cost_usd: float | None = None
    baseline: str | None = None
    baseline_usd: float | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        for name, usd in (("cost_usd", self.cost_usd), ("baseline_usd", self.baseline_usd)):
            if usd is not None and not 0 <= usd <= MAX_USD:
                raise ValueError(f"{name} must be an amount from 0 to {MAX_USD:g}, got {usd!r}")

    @property
    def day(self) -> str:
        """The day of the settlement in UTC, ISO 8601."""
        return day_of(self.settled_at)

    @property
    def charged_picousd(self) -> int:
        """What its attempts are known to be charged with, even where another of them has no known price."""
        return sum(picousd(attempt.cost_usd) for attempt in self.attempts if attempt.cost_usd is not None)

    @property
    def unpriced(self) -> bool:
        """Whether somebody will charge for it and nobody knows how much."""
        return any(attempt.usage is not None and attempt.cost_usd is None for attempt in self.attempts)

    @property
    def savings_usd(self) -> float | None:
        """Baseline cost minus cost; negative where the baseline would have been cheaper."""
        if self.cost_usd is None or self.baseline_usd is None:
            return None
        return in_usd(picousd(self.baseline_usd) - picousd(self.cost_usd))


def exported(record: Record) -> dict[str, Any]:
    """One flat line of an export. ``input_tokens`` is the whole prompt, cached parts included, ``time`` the moment at
    which the request came."""
    usage = record.usage
    return {
        "time": iso_exact(record.started_at),
        "settled_at": iso_exact(record.settled_at),
        "request_id": record.request_id,
        "key": record.key,
        "status": record.status,
        "target": record.target,
        "kind": record.kind,
        "model": record.model,
        "reason": record.reason,
        "attempts": len(record.attempts),
        "input_tokens": usage.all_input_tokens,
        "cached_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
        "estimated": usage.estimated,
        "cost_usd": record.cost_usd,
        "baseline": record.baseline,
        "baseline_usd": record.baseline_usd,
        "savings_usd": record.savings_usd,
    }
