"""The share of failures among a target's recent outcomes: what a count of failures in a row does not see.

Half of all answers failing, one by one, never makes five in a row. The window moves in steps, so that it costs a few
counters however many requests there are.
"""

from __future__ import annotations

from collections import deque

WINDOW_S, STEPS = 30.0, 10
TOO_MANY = 0.5
"""From that share on the target counts as broken."""


class FailureRate:
    """Fed with the monotonic moment of each outcome, in seconds. Of fewer than ``least`` outcomes a share says
    nothing."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._steps: deque[list[int]] = deque()  # [number of the step, outcomes, failures]

    def add(self, now: float, *, failed: bool) -> None:
        number = int(now / (WINDOW_S / STEPS))
        while self._steps and self._steps[0][0] <= number - STEPS:
            self._steps.popleft()
        if not self._steps or self._steps[-1][0] != number:
            self._steps.append([number, 0, 0])
        self._steps[-1][1] += 1
        self._steps[-1][2] += failed

    def too_high(self) -> bool:
        """As of the last outcome."""
        outcomes = sum(step[1] for step in self._steps)
        return outcomes >= self._least and sum(step[2] for step in self._steps) >= TOO_MANY * outcomes

    def forget(self) -> None:
        self._steps.clear()
