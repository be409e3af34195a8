"""Records for tests."""

from __future__ import annotations

from typing import Any

from llm_router.model import Usage
from llm_router.pricing.records import AttemptRecord, Record

MIDNIGHT = 1_700_006_400.0
"""2023-11-15 in UTC."""


def make_record(request_id: str, **changes: Any) -> Record:
    """An answered request of one attempt, unless ``changes`` say otherwise."""
    fields: dict[str, Any] = {
        "request_id": request_id,
        "started_at": 1_700_000_000.0,
        "settled_at": 1_700_000_001.0,
        "target": "aws",
        "kind": "cluster",
        "model": "tiny",
        "reason": "hybrid_cluster",
        "status": 200,
        "usage": Usage(input_tokens=10, cache_read_tokens=2, output_tokens=5),
        "cost_usd": 0.001,
        "baseline": "openai",
        "baseline_usd": 0.003,
    }
    fields |= changes
    if fields["target"] is None:
        fields |= {"cost_usd": None, "kind": None, "model": ""} | changes
    else:
        sent = AttemptRecord(fields["target"], "ok", fields["usage"], fields["cost_usd"])
        fields.setdefault("attempts", (sent,))
    return Record(**fields)
