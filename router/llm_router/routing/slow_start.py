"""Slow start: a target that has just come back is not given everything at once.

Its caches are cold, and what broke it may break it again. Under load it takes a tenth of the requests that it would
get, and more in steps until the time is over; while it has nothing to do, it takes the next one like any other.
"""

from __future__ import annotations

from ..model import View
from .turns import Turn

FIRST_SHARE_PERCENT = STEP_PERCENT = 10


def passed_over(view: View, now: float, slow_start_s: float, turn: Turn) -> bool:
    """Whether this request should go to somebody else, where somebody else may answer. ``now`` is monotonic seconds;
    takes a turn only for a target that is busy and has just come back."""
    age_s = now - view.back_at
    if age_s >= slow_start_s or view.pending == 0:
        return False
    share = share_percent(age_s, slow_start_s)
    return turn(f"slow_start:{view.target.name}", {"others": 100 - share, "it": share})[0] == "others"


def share_percent(age_s: float, slow_start_s: float) -> int:
    """10 % at once, 100 % at the end, in steps of 10 %."""
    grown = int(age_s / slow_start_s * 100) // STEP_PERCENT * STEP_PERCENT
    return min(100, max(FIRST_SHARE_PERCENT, grown))
