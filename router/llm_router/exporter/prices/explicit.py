"""What the operator wrote down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

from .base import Quote

LABEL = "config"


class ExplicitPrice:
    """``as_of`` is the day for which it was true; ``unix_time`` the clock that its age is taken by."""

    def __init__(self, usd_per_hour: float, as_of: date | None, unix_time: Callable[[], float]) -> None:
        self._usd, self._as_of, self._unix_time = usd_per_hour, as_of, unix_time

    def quote(self) -> Quote:
        age_s = None if self._as_of is None else age_of(self._as_of, self._unix_time())
        return Quote(usd_per_hour=self._usd, source=LABEL, age_s=age_s)


def age_of(day: date, now_unix: float) -> float:
    """Seconds since that day began in UTC; zero where the clock says that it is still to come."""
    return max(0.0, now_unix - datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
