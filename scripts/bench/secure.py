"""What nobody may get: a start with an insecure configuration, and somebody else's credential."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.router.crossing import sizes, watched
from tests.router.insecure import INSECURE, is_refusal, tried
from tests.router.standins import Standins


def p19_crossing(standins: Standins, rounds: int) -> str:
    """Secrets of five targets and a caller, in all that others than their owner see."""
    with tempfile.TemporaryDirectory() as folder:
        seen = watched(standins, Path(folder), rounds)
    searched = sizes(seen)
    return (
        f"{len(seen.crossed())} found of {len(seen.secrets)} secrets in {sum(searched.values()) // 1024} KiB to five "
        f"targets that repeat what they are sent, to callers, the operator and the log at debug"
    )


def p20_insecure() -> str:
    with tempfile.TemporaryDirectory() as folder:
        refused = sum(is_refusal(tried(insecure, Path(folder)), insecure) for insecure in INSECURE.values())
    return (
        f"{refused} of {len(INSECURE)} insecure configurations refused at the start, each with its place and a remedy"
    )
