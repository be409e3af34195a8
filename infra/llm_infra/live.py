"""What the clouds' live price sources have in common."""

from __future__ import annotations

from datetime import date

from .tables.prices import NodePrice


class LiveError(Exception):
    """A cloud could not be asked for a price; the message says why."""


def price(usd_per_hour: float, source: str, today: date) -> NodePrice:
    """To two digits: a spot price moves by tenths of a cent all day, and no router would decide otherwise for that."""
    return NodePrice(float(f"{usd_per_hour:.2g}"), source, today)
