"""When everybody who may answer has an open breaker: one request a second still finds out whether somebody is back.

Breakers judge by the past. Where all of them are open at once the cause is often something else (the router's own
network, a common dependency), and waiting for every one of them would make a short trouble a long one. Requirements
hold as ever: only who broke none of them, and is missing for his breaker alone, is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..model import View

REASON = "panic"
INTERVAL_S = 1.0
TRIPPED = "breaker_open"
"""The code of a target that is missing for its breaker alone: it is judged last."""


def probe(tripped: Sequence[View], now: float) -> View | None:
    """Who is asked although his breaker is open: of the ``tripped`` he who failed longest ago; ``None`` where one of
    them was asked, or all failed, within the last second. ``now`` is monotonic seconds."""
    if not tripped or now - max(view.probed_at for view in tripped) < INTERVAL_S:
        return None
    rested = [view for view in tripped if not view.probing and now - view.failed_at >= INTERVAL_S]
    return min(rested, key=lambda view: (view.failed_at, view.target.name), default=None)
