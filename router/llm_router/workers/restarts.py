"""When a worker that has ended is replaced: at once where it had served, later and later where it does not come up."""

from __future__ import annotations

LONG_ENOUGH_S = 10.0
"""A worker that lived so long did not die of its start."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
ENOUGH = 5
"""So many ends in a row, and nobody who serves: there is no point any more."""


class Restarts:
    """Of one worker's place. Pure."""

    def __init__(self) -> None:
        self.failures = 0
        """Ends soon after the start, one after the other."""

    def ended(self, lived_s: float, *, served: bool) -> float:
        """How many seconds to wait before the next one is started."""
        if served and lived_s >= LONG_ENOUGH_S:
            self.failures = 0
            return 0.0
        self.failures += 1
        if served and self.failures == 1:
            return 0.0
        return min(FIRST_PAUSE_S * 2.0 ** (self.failures - 1), LONGEST_PAUSE_S)

    @property
    def hopeless(self) -> bool:
        return self.failures >= ENOUGH
