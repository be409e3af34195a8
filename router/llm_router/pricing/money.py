"""Amounts as the ledger has them: whole numbers of picodollars (10⁻¹² USD).

An amount is rounded once, when it is booked. From then on sums are exact whatever their order, here as in a database,
and parts add up to the whole.
"""

from __future__ import annotations

PICO = 10**12
MAX_USD = 1e6
"""No request costs more: such an amount is a fault, and a few million of them would not fit into 64 bits."""


def picousd(usd: float) -> int:
    return round(usd * PICO)


def in_usd(picodollars: int) -> float:
    """The nearest float: of a booked amount the very one that it was booked as."""
    return picodollars / PICO


def booked(usd: float | None) -> float | None:
    """The amount as the ledger has it; ``None``, unknown, for what cannot be one: NaN, negative, above ``MAX_USD``."""
    if usd is None or not 0 <= usd <= MAX_USD:
        return None
    return in_usd(picousd(usd))
