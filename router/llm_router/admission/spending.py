"""What of one budget is spent, and what is reserved for requests under way."""

from __future__ import annotations

import math

UNDER_WAY_S = 1.0
"""How soon to ask again where only what is under way stands in the way."""


class Spending:
    """In nano-USD."""

    def __init__(self) -> None:
        self.spent = self.reserved = 0

    @property
    def used(self) -> int:
        return self.spent + self.reserved

    def wait_s(self, amount: int, ceiling: int) -> float:
        if self.used + amount <= ceiling:
            return 0.0
        return UNDER_WAY_S if self.spent + amount <= ceiling else math.inf

    def take(self, amount: int) -> None:
        self.reserved += amount

    def settle(self, reserved: int, actual: int) -> None:
        self.reserved -= reserved
        self.spent += actual
