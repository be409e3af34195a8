"""Azure's retail prices: a public API that needs no account.

https://learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices: one row for each meter, pages
that name the next one. The rows of one machine differ in system (Windows is told in the product's name), in kind (spot
and low priority in the name of the SKU), in term, and in when they begin and end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from .base import PriceUnknown
from .web import MAX_PAGES, PriceApi

URL = "https://prices.azure.com"
PATH = "/api/retail/prices"
VERSION = "2023-01-01-preview"
_OTHER_PRODUCTS = ("windows", "cloud services", "cloudservices")
Day = Annotated[datetime, Meta(tz=True)]


class Row(Struct, frozen=True, rename="camel", kw_only=True):
    currency_code: str = ""
    retail_price: float = 0.0
    tier_minimum_units: float = 0.0
    arm_region_name: str = ""
    arm_sku_name: str = ""
    product_name: str = ""
    sku_name: str = ""
    type: str = ""
    unit_of_measure: str = ""
    is_primary_meter_region: bool = True
    effective_start_date: Day
    effective_end_date: Day | None = None


class Page(Struct, frozen=True):
    items: tuple[Row, ...] = field(name="Items")
    next_page: str | None = field(name="NextPageLink", default=None)


class AzureRetail:
    """A ``PriceSource`` for a Linux machine. ``unix_time`` tells which rows have begun and not ended."""

    label = "azure_retail"

    def __init__(
        self, instance_type: str, region: str, *, spot: bool, unix_time: Callable[[], float], url: str = URL
    ) -> None:
        self._instance_type, self._region, self._spot = instance_type, region, spot
        self._unix_time = unix_time
        self._api = PriceApi(url)

    async def usd_per_hour(self) -> float:
        now = datetime.fromtimestamp(self._unix_time(), UTC)
        rows = [row for row in await self._rows() if self._is_ours(row) and _in_force(row, now)]
        if not rows:
            kind = "spot" if self._spot else "on-demand"
            raise PriceUnknown(
                f"Azure lists no {kind} price for {self._instance_type} with Linux in {self._region}: "
                f"is price.instanceType spelt as Azure spells it, and the region as in armRegionName?"
            )
        newest = max(row.effective_start_date for row in rows)
        return max(row.retail_price for row in rows if row.effective_start_date == newest)

    async def aclose(self) -> None:
        await self._api.aclose()

    async def _rows(self) -> Sequence[Row]:
        wanted = {
            "serviceName": "Virtual Machines",
            "armRegionName": self._region,
            "armSkuName": self._instance_type,
            "priceType": "Consumption",
        }
        conditions = " and ".join(f"{name} eq '{value}'" for name, value in wanted.items())
        params = {"api-version": VERSION, "currencyCode": "'USD'", "$filter": conditions}
        page = await self._api.get_json(PATH, Page, params=params)
        rows = list(page.items)
        for _ in range(MAX_PAGES):
            if not page.next_page:
                return rows
            # Only its query counts: whatever a page says, nobody else is asked.
            page = await self._api.get_json(f"{PATH}?{urlsplit(page.next_page).query}", Page)
            rows += page.items
        raise PriceUnknown(f"Azure's price list does not end after {MAX_PAGES} pages")

    def _is_ours(self, row: Row) -> bool:
        sku, product = row.sku_name.lower(), row.product_name.lower()
        return (
            (row.currency_code, row.type, row.unit_of_measure) == ("USD", "Consumption", "1 Hour")
            and (row.arm_sku_name.lower(), row.arm_region_name) == (self._instance_type.lower(), self._region)
            and row.is_primary_meter_region
            and row.tier_minimum_units == 0
            and sku.endswith(" spot") is self._spot
            and "low priority" not in sku
            and not any(other in product for other in _OTHER_PRODUCTS)
        )


def _in_force(row: Row, now: datetime) -> bool:
    return row.effective_start_date <= now and (row.effective_end_date is None or now < row.effective_end_date)
