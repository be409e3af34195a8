"""One router of several that write into the same ledger. Apart from the tests, so that a process of it starts fast."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llm_router.state.ledger.store import open_store
from tests.router.pricing.record_samples import make_record


def write(url: str, numbers: Sequence[int]) -> None:
    """A batch of 30 for each number: every third record is one that the other processes write too."""
    store = open_store(url, folder=Path())
    for number in numbers:
        store.write([make_record(f"{number}-{i}" if i % 3 else f"shared-{i}", cost_usd=0.01) for i in range(30)])
    store.close()
