"""What may be used how much: limits as values, and what a request claims of them.

A *limit* is one ceiling of one key, provider or cluster; a *claim* is what one request wants of it before it is sent.
Money is counted in whole nano-USD, so that sums are exact wherever they are kept.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

from ..config.schema import Budget, RateLimit
from ..model import LimitUnit
from ..pricing.estimate import nano_usd

LimitScope = Literal["key", "provider", "cluster"]

_A_DAY, _A_DAY_S, _FOUR_DAYS = timedelta(days=1), 86_400, timedelta(days=4)

CHECK = 0
"""The amount of a claim that takes nothing, and asks whether anything is left."""


class Limit(Struct, frozen=True, kw_only=True):
    """One ceiling. ``key`` names its counter wherever it is kept, ``text`` says it to people.

    Only a ``hard`` one refuses; ``soft`` is the amount from which on people are told. ``period`` and ``ends_at`` (Unix
    time) are a budget's: each day and each month has a counter of its own.
    """

    scope: LimitScope
    owner: str
    name: str
    unit: LimitUnit
    ceiling: int
    key: str
    text: str
    hard: bool = True
    soft: int | None = None
    period: str = ""
    ends_at: float = 0.0


class Claim(Struct, frozen=True):
    limit: Limit
    amount: int


class Tally(Struct, frozen=True):
    """How a limit stands after a claim.

    ``wait_s`` is the time until the amount fits that was asked for, or after it was taken one more, if nobody else
    comes: 0 where it fits now, infinite where this limit never has room for it, or not before its period ends. In
    ``reset_s`` all that is used will be free.
    """

    used: int
    wait_s: float = 0.0
    reset_s: float = 0.0


class Limits:
    """The limits of one key, provider or cluster, as the configuration states them."""

    def __init__(self, scope: LimitScope, owner: str, rates: RateLimit | None, budget: Budget | None) -> None:
        self._scope: LimitScope = scope
        self.owner = owner
        self._budget = budget
        self._today: int | None = None
        self._budgets: tuple[Limit, ...] = ()
        self.rates = tuple(self._rates(rates or RateLimit()))

    def __bool__(self) -> bool:
        return bool(self.rates) or self._budget is not None

    @property
    def needs_prices(self) -> bool:
        """Whether what has no known price must not be used: nobody could keep to the budget."""
        return self._budget is not None and self._budget.hard

    def budgets(self, unix_time: float) -> tuple[Limit, ...]:
        """Those of the day and the month (UTC) that ``unix_time`` lies in."""
        if self._budget is not None and (today := int(unix_time // _A_DAY_S)) != self._today:
            self._today, self._budgets = today, tuple(self._periods(self._budget, unix_time))
        return self._budgets

    def _rates(self, rates: RateLimit) -> list[Limit]:
        stated: tuple[tuple[str, LimitUnit, int | None], ...] = (
            ("requestsPerMinute", "requests", rates.requests_per_minute),
            ("tokensPerMinute", "tokens", rates.tokens_per_minute),
            ("concurrentRequests", "slots", rates.concurrent_requests),
        )
        return [
            Limit(
                scope=self._scope,
                owner=self.owner,
                name=name,
                unit=unit,
                ceiling=ceiling,
                key=f"{self._scope}:{self.owner}:{name}",
                text=f"{name} {ceiling}",
            )
            for name, unit, ceiling in stated
            if ceiling is not None
        ]

    def _periods(self, budget: Budget, unix_time: float) -> list[Limit]:
        now = datetime.fromtimestamp(unix_time, UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        next_month = (midnight.replace(day=28) + _FOUR_DAYS).replace(day=1)
        stated = (
            ("daily", budget.daily, midnight.strftime("%Y-%m-%d"), midnight + _A_DAY),
            ("monthly", budget.monthly, midnight.strftime("%Y-%m"), next_month),
        )
        return [
            Limit(
                scope=self._scope,
                owner=self.owner,
                name=name,
                unit="nano_usd",
                ceiling=nano_usd(usd),
                key=f"{self._scope}:{self.owner}:{name}:{period}",
                text=f"{name} {_plain(usd)} USD",
                hard=budget.hard,
                soft=math.ceil(nano_usd(usd) * budget.soft_percent / 100),
                period=period,
                ends_at=ends_at.timestamp(),
            )
            for name, usd, period, ends_at in stated
            if usd is not None
        ]


def _plain(usd: float) -> str:
    return f"{usd:.9f}".rstrip("0").rstrip(".")


def budget_of(limit: Limit) -> str:
    """The budget whose limit for one period this is."""
    return f"{limit.scope}:{limit.owner}:{limit.name}"
