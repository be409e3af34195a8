"""List prices from the data of the ``genai-prices`` package, brought to USD per 1K tokens.

The package's rules are kept: a tier is chosen by the whole input and then holds for every token of the request, and
tokens of a kind without a price of its own are charged as what they are part of (cached input as input). What this
router cannot express, and what the data does not know, is unknown: ``None``, never 0.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..config.schema import Price
from ..model import ListPrice, Rate

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

MTOK_PER_KTOK = 1000.0

_EXTRA_CHARGES = ("requests_kcount", "output_reasoning_mtok", "output_citation_mtok")
"""Charges that a plain chat incurs and that ``ListPrice`` has no place for: such a model counts as unpriced."""


class PriceBook:
    """List prices and context windows by provider and model, as they stood at the moment ``at``."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def lookup(self, price_id: str | None, model: str) -> ListPrice | None:
        """What the provider with this id in the price data lists for ``model``; ``None`` where that is unknown."""
        info = _find(price_id, model)
        return None if info is None else _compile(info.get_prices(self._at), self._at)

    def embedding(self, price_id: str | None, model: str) -> ListPrice | None:
        """The same for a model that reads and generates nothing."""
        info = _find(price_id, model)
        paid = None if info is None else _rate(info.get_prices(self._at).input_mtok)
        if paid is None:
            return None
        return ListPrice(input=paid, output=Rate(0.0), cache_read=paid, cache_write=paid, **_origin(self._at))

    def context_length(self, price_id: str | None, model: str) -> int | None:
        """The model's context window in tokens, ``None`` where the data does not know it."""
        info = _find(price_id, model)
        return None if info is None else info.context_window or None

    def configured(self, price: Price) -> ListPrice:
        """The operator's own price, which overrides the data. Cached input is charged as input.

        Raises ``ValueError`` for negative or infinite prices; 0 is allowed, because here somebody wrote it."""
        for name, usd in (("inputPer1k", price.input_per_1k), ("outputPer1k", price.output_per_1k)):
            if not (math.isfinite(usd) and usd >= 0):
                raise ValueError(f"{name} must be a finite number of USD that is not negative, got {usd!r}")
        paid = Rate(price.input_per_1k)
        return ListPrice(
            input=paid, output=Rate(price.output_per_1k), cache_read=paid, cache_write=paid, source="config"
        )


def _find(price_id: str | None, model: str) -> ModelInfo | None:
    if price_id is None:
        return None
    # Importing the data takes up to a second: only those who need a list price pay for it.
    from genai_prices.data_snapshot import get_snapshot

    try:
        return get_snapshot().find_provider_model(model, None, price_id, None)[1]
    except LookupError:
        return None


def _compile(prices: ModelPrice, at: datetime) -> ListPrice | None:
    if any(getattr(prices, charge, None) is not None for charge in _EXTRA_CHARGES):
        return None
    paid, answered = _rate(prices.input_mtok), _rate(prices.output_mtok)
    if paid is None or answered is None:
        return None
    return ListPrice(
        input=paid,
        output=answered,
        cache_read=_rate(prices.cache_read_mtok) or paid,
        cache_write=_rate(prices.cache_write_mtok) or paid,
        **_origin(at),
    )


def _origin(at: datetime) -> dict[str, str]:
    from genai_prices import __version__

    return {"source": f"genai-prices {__version__}", "as_of": at.date().isoformat()}


def _rate(usd_per_mtok: object) -> Rate | None:
    from genai_prices.types import TieredPrices

    if usd_per_mtok is None:
        return None
    if isinstance(usd_per_mtok, TieredPrices):
        tiers = tuple((tier.start, float(tier.price) / MTOK_PER_KTOK) for tier in usd_per_mtok.tiers)
        return Rate(float(usd_per_mtok.base) / MTOK_PER_KTOK, tiers)
    return Rate(float(str(usd_per_mtok)) / MTOK_PER_KTOK)
