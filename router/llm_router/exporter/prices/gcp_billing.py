"""Google's Cloud Billing Catalog: the public price list, a machine being the sum of what it is made of.

https://cloud.google.com/billing/docs/reference/rest/v1/services.skus/list with an API key, or as whoever the process is
(``gcp_credentials``). Prices are ``units`` and ``nanos`` of a dollar for each unit of use, in tiers, dated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Protocol

from msgspec import Meta, Struct

from .base import PriceUnknown
from .gcp_machine import Part, parts_of
from .web import MAX_PAGES, PriceApi

URL = "https://cloudbilling.googleapis.com"
COMPUTE_ENGINE = "6F81-5844-456A"
PATH = f"/v1/services/{COMPUTE_ENGINE}/skus"
PAGE_SIZE = 5000
_NANOS = 1e9
_ADVICE = {
    400: "is price.live.apiKey an API key of Google Cloud?",
    401: "the credentials are refused: see price.live.apiKey",
    403: "enable the Cloud Billing API in the project, and let the key call it",
}


class Credentials(Protocol):
    async def headers(self) -> Mapping[str, str]:
        """What proves who asks. Raises ``PriceUnknown``."""
        ...


class ApiKey:
    def __init__(self, key: str) -> None:
        self._headers = {"x-goog-api-key": key}

    async def headers(self) -> Mapping[str, str]:
        return self._headers


class Money(Struct, frozen=True, rename="camel"):
    currency_code: str = ""
    units: int = 0
    nanos: int = 0


class Tier(Struct, frozen=True, rename="camel"):
    unit_price: Money = Money()


class Expression(Struct, frozen=True, rename="camel"):
    usage_unit: str = ""
    tiered_rates: tuple[Tier, ...] = ()


class PricingInfo(Struct, frozen=True, rename="camel"):
    effective_time: Annotated[datetime, Meta(tz=True)]
    pricing_expression: Expression = Expression()


class Category(Struct, frozen=True, rename="camel"):
    usage_type: str = ""


class Sku(Struct, frozen=True, rename="camel"):
    description: str = ""
    category: Category = Category()
    service_regions: tuple[str, ...] = ()
    pricing_info: tuple[PricingInfo, ...] = ()


class Page(Struct, frozen=True, rename="camel"):
    skus: tuple[Sku, ...] = ()
    next_page_token: str = ""


class GcpBilling:
    """A ``PriceSource``. ``unix_time`` tells which prices are in force."""

    label = "gcp_billing"

    def __init__(
        self,
        machine_type: str,
        region: str,
        *,
        spot: bool,
        credentials: Credentials,
        unix_time: Callable[[], float],
        url: str = URL,
    ) -> None:
        self._parts = parts_of(machine_type)
        self._region, self._spot, self._unix_time = region, spot, unix_time
        self._usage_type = "Preemptible" if spot else "OnDemand"
        self._credentials = credentials
        self._api = PriceApi(url, _ADVICE)

    async def usd_per_hour(self) -> float:
        skus = await self._skus()
        return sum(part.quantity * self._usd_per_unit(part, skus) for part in self._parts)

    async def aclose(self) -> None:
        await self._api.aclose()

    async def _skus(self) -> Sequence[Sku]:
        """Those of the catalogue that any part of the machine is billed by."""
        names = tuple(self._name(part) for part in self._parts)
        params = {"currencyCode": "USD", "pageSize": str(PAGE_SIZE)}
        found: list[Sku] = []
        for _ in range(MAX_PAGES):
            page = await self._api.get_json(PATH, Page, params=params, headers=await self._credentials.headers())
            found += (sku for sku in page.skus if sku.description.startswith(names) and self._is_ours(sku))
            if not page.next_page_token:
                return found
            params["pageToken"] = page.next_page_token
        raise PriceUnknown(f"Google's price list does not end after {MAX_PAGES} pages")

    def _usd_per_unit(self, part: Part, skus: Sequence[Sku]) -> float:
        name, now = self._name(part), datetime.fromtimestamp(self._unix_time(), UTC)
        prices = [
            (info.effective_time, _dearest(info))
            for sku in skus
            if sku.description.startswith(name)
            for info in sku.pricing_info
            if info.pricing_expression.usage_unit == part.unit and info.effective_time <= now
        ]
        _, usd = max(prices, default=(now, 0.0))
        if usd <= 0:
            raise PriceUnknown(f"Google lists no price in force for {name!r} in {self._region}: is that a region?")
        return usd

    def _name(self, part: Part) -> str:
        return part.spot if self._spot else part.on_demand

    def _is_ours(self, sku: Sku) -> bool:
        return sku.category.usage_type == self._usage_type and self._region in sku.service_regions


def _dearest(info: PricingInfo) -> float:
    """Of all tiers: what is free, or cheaper, for the first hours of a month is not so for a pool."""
    prices = [tier.unit_price for tier in info.pricing_expression.tiered_rates]
    return max((p.units + p.nanos / _NANOS for p in prices if p.currency_code == "USD"), default=0.0)
