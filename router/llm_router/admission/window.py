"""What was used in the last minute, as a sliding window of whole seconds.

Why not GCRA or a token bucket: those let a full bucket and its refill through, up to twice the limit in one minute,
and a provider answers that with 429. Here no minute ever holds more than the limit. The price is the grain: a second
leaves the window as a whole, when its last moment has, so that up to 1/61 of the limit is not used. Each amount stays
with its second, which makes giving back what was reserved too much exact, and bounds the memory to 61 numbers.
"""

from __future__ import annotations

import math
from collections import OrderedDict

WINDOW_S = 60
SPAN_S = WINDOW_S + 1
"""For so many seconds, its own included, a whole second counts."""


class Window:
    """``now`` is monotonic seconds everywhere."""

    def __init__(self) -> None:
        self._by_second: OrderedDict[int, int] = OrderedDict()
        self._used = 0

    def used(self, now: float) -> int:
        oldest = math.floor(now) - WINDOW_S
        while self._by_second and next(iter(self._by_second)) < oldest:
            self._used -= self._by_second.popitem(last=False)[1]
        return self._used

    def wait_s(self, amount: int, ceiling: int, now: float) -> float:
        """Until ``amount`` fits if nobody else comes; infinite where it is larger than the ceiling."""
        excess = self.used(now) + amount - ceiling
        if excess <= 0:
            return 0.0
        for second, used in self._by_second.items():
            excess -= used
            if excess <= 0:
                return second + SPAN_S - now
        return math.inf

    def reset_s(self, now: float) -> float:
        """Until all that is used now has left the window."""
        return next(reversed(self._by_second)) + SPAN_S - now if self.used(now) else 0.0

    def take(self, amount: int, now: float) -> int:
        """The second under which it is booked."""
        second = math.floor(now)
        self._by_second[second] = self._by_second.get(second, 0) + amount
        self._used += amount
        return second

    def settle(self, second: int, reserved: int, actual: int, now: float) -> None:
        """What was reserved too much leaves its second; what was used beyond it counts from now on."""
        if actual > reserved:
            self.take(actual - reserved, now)
        elif actual < reserved and self.used(now) and second in self._by_second:
            self._by_second[second] -= reserved - actual
            self._used -= reserved - actual
            if not self._by_second[second]:
                del self._by_second[second]
