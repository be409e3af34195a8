"""List prices from the data of the ``genai-prices`` package, brought to USD per 1K tokens.

The package's rules are kept: a tier is chosen by the whole input and then holds for every token of the request, and
tokens of a kind without a price of its own are charged as what they are part of (cached input as input). What this
router cannot express, and what the data does not know, is unknown: ``None``, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from ..config.schema import Price
from ..model import ListPrice, Rate

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

MTOK_PER_KTOK = 1000.0

CONFIGURED = "config"
"""The ``source`` of a price that the operator wrote."""

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
        return ListPrice(
            input=paid,
            output=Rate(0.0),
            cache_read=paid,
            cache_write=paid,
            cache_write_1h=None,
            **_origin(self._at),
        )

    def context_length(self, price_id: str | None, model: str) -> int | None:
        """The model's context window in tokens, ``None`` where the data does not know it."""
        info = _find(price_id, model)
        return None if info is None else info.context_window or None

    def configured(self, price: Price) -> ListPrice:
        """The operator's own price, which overrides the data. Cached input without a price is charged as input.

        Raises ``ValueError`` for negative or infinite prices; 0 is allowed, because here somebody wrote it."""
        read, written = price.cache_read_per_1k, price.cache_write_per_1k
        rates = {
            "inputPer1k": price.input_per_1k,
            "outputPer1k": price.output_per_1k,
            "cacheReadPer1k": price.input_per_1k if read is None else read,
            "cacheWritePer1k": price.input_per_1k if written is None else written,
        }
        for name, usd in rates.items():
            if not (math.isfinite(usd) and usd >= 0):
                raise ValueError(f"{name} must be a finite number of USD that is not negative, got {usd!r}")
        paid, answered, from_cache, to_cache = map(Rate, rates.values())
        return ListPrice(
            input=paid,
            output=answered,
            cache_read=from_cache,
            cache_write=to_cache,
            source=CONFIGURED,
            as_of=price.as_of or "",
        )

    # ------------------------------------------------------------ what the data knows beside one price

    def on(self, at: datetime) -> PriceBook:
        """The same data at another moment."""
        return PriceBook(at)

    def models(self, price_id: str) -> Iterator[str]:
        """The models that the data knows of this provider, priced or not."""
        from genai_prices.data_snapshot import get_snapshot

        return (
            model.id for provider in get_snapshot().providers if provider.id == price_id for model in provider.models
        )

    def next_change(self, price_id: str | None, model: str) -> date | None:
        """The first day from which the data has another price for the model; ``None`` where it knows of none."""
        info, now = _find(price_id, model), self.lookup(price_id, model)
        if info is None:
            return None
        for day in sorted(day for day in _starts(info) if day > self._at.date()):
            then = self.on(datetime.combine(day, time(), UTC)).lookup(price_id, model)
            if _rates(then) != _rates(now):
                return day
        return None

    def newest_entry(self) -> date | None:
        """The latest day, up to this moment, that any price of the data is dated with: the data is not older."""
        from genai_prices.data_snapshot import get_snapshot

        today = self._at.date()
        days = (day for provider in get_snapshot().providers for model in provider.models for day in _starts(model))
        return max((day for day in days if day <= today), default=None)


def _find(price_id: str | None, model: str) -> ModelInfo | None:
    if price_id is None:
        return None
    # Importing the data takes up to a second: only those who need a list price pay for it.
    from genai_prices.data_snapshot import get_snapshot

    try:
        return get_snapshot().find_provider_model(model, None, price_id, None)[1]
    except LookupError:
        return None


def _rates(price: ListPrice | None) -> tuple[Rate | None, ...]:
    if price is None:
        return ()
    return price.input, price.output, price.cache_read, price.cache_write, price.cache_write_1h


def _starts(info: ModelInfo) -> Iterator[date]:
    """The days from which on one of the model's prices holds."""
    from genai_prices.types import StartDateConstraint

    conditional = info.prices if isinstance(info.prices, list) else []
    for entry in (*conditional, *(info.price_variants or ())):
        if isinstance(entry.constraint, StartDateConstraint):
            yield entry.constraint.start_date


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
        cache_write_1h=_rate(prices.cache_write_1h_mtok),
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
