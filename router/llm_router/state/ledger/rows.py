"""A record as rows of the tables, and a row as a line of an export."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row

from ...config.moments import iso_exact
from ...pricing.money import in_usd, picousd
from ...pricing.records import Record


def _pico(usd: float | None) -> int | None:
    return None if usd is None else picousd(usd)


def request_row(record: Record) -> dict[str, Any]:
    usage = record.usage
    return {
        "request_id": record.request_id,
        "started_at": record.started_at,
        "settled_at": record.settled_at,
        "day": record.day,
        "key_name": record.key,
        "status": record.status,
        "target": record.target,
        "kind": record.kind,
        "model": record.model or None,
        "reason": record.reason,
        "attempts": len(record.attempts),
        "input_tokens": usage.all_input_tokens,
        "cached_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
        "estimated": usage.estimated,
        "unpriced": record.unpriced,
        "charged_picousd": record.charged_picousd,
        "cost_picousd": _pico(record.cost_usd),
        "baseline": record.baseline,
        "baseline_picousd": _pico(record.baseline_usd),
    }


def attempt_rows(record: Record) -> Iterator[dict[str, Any]]:
    for number, attempt in enumerate(record.attempts, 1):
        usage = attempt.usage
        yield {
            "request_id": record.request_id,
            "number": number,
            "target": attempt.target,
            "outcome": attempt.outcome,
            "input_tokens": None if usage is None else usage.all_input_tokens,
            "output_tokens": None if usage is None else usage.output_tokens,
            "estimated": None if usage is None else usage.estimated,
            "cost_picousd": _pico(attempt.cost_usd),
        }


def line_of(row: Row[Any]) -> dict[str, Any]:
    """As ``pricing.records.exported``."""
    cost, baseline = row.cost_picousd, row.baseline_picousd
    return {
        "time": iso_exact(row.started_at),
        "settled_at": iso_exact(row.settled_at),
        "request_id": row.request_id,
        "key": row.key_name,
        "status": row.status,
        "target": row.target,
        "kind": row.kind,
        "model": row.model or "",
        "reason": row.reason,
        "attempts": row.attempts,
        "input_tokens": row.input_tokens,
        "cached_tokens": row.cached_tokens,
        "output_tokens": row.output_tokens,
        "estimated": row.estimated,
        "cost_usd": None if cost is None else in_usd(cost),
        "baseline": row.baseline,
        "baseline_usd": None if baseline is None else in_usd(baseline),
        "savings_usd": None if cost is None or baseline is None else in_usd(baseline - cost),
    }
