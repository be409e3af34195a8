"""AWS's on-demand prices by the Price List API.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html: each product comes as
a JSON document of its own. It is served from a few regions only, and knows the prices of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, field

from .aws import MAX_ITEMS, AwsApi
from .base import PriceUnknown

SERVED_FROM = "us-east-1"
_ADVICE = {"AccessDeniedException": "allow pricing:GetProducts"}
_LINUX = {
    "operatingSystem": "Linux",
    "preInstalledSw": "NA",
    "tenancy": "Shared",
    "capacitystatus": "Used",
    "licenseModel": "No License required",
}


class Dimension(Struct, frozen=True, rename="camel"):
    unit: str = ""
    price_per_unit: dict[str, float] = field(default_factory=dict)


class Offer(Struct, frozen=True, rename="camel"):
    price_dimensions: dict[str, Dimension] = field(default_factory=dict)


class Terms(Struct, frozen=True):
    on_demand: dict[str, Offer] = field(name="OnDemand", default_factory=dict)


class Product(Struct, frozen=True):
    terms: Terms = Terms()


class AwsOnDemand:
    """A ``PriceSource`` for a Linux machine on shared hardware."""

    label = "aws_on_demand"

    def __init__(self, instance_type: str, region: str, *, url: str | None = None) -> None:
        self._instance_type, self._region = instance_type, region
        self._api = AwsApi("pricing", SERVED_FROM, url, _ADVICE)

    async def usd_per_hour(self) -> float:
        documents = await self._api.call(self._ask)
        prices = [usd for document in documents for usd in _hourly(document)]
        if not prices:
            raise PriceUnknown(f"AWS lists no on-demand price of {self._instance_type} with Linux in {self._region}")
        return max(prices)

    async def aclose(self) -> None:
        await self._api.aclose()

    def _ask(self, client: Any) -> list[str]:
        wanted = {"instanceType": self._instance_type, "regionCode": self._region, **_LINUX}
        filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
        pages = client.get_paginator("get_products").paginate(
            ServiceCode="AmazonEC2", Filters=filters, PaginationConfig={"MaxItems": MAX_ITEMS}
        )
        return [document for page in pages for document in page.get("PriceList", ())]


def _hourly(document: str) -> Iterator[float]:
    """A reserved capacity block has a row of zero: what is free is not what a node costs."""
    try:
        product = msgspec.json.decode(document, type=Product, strict=False)
    except msgspec.DecodeError as error:
        raise PriceUnknown(f"AWS's price list is not what was expected: {error}") from error
    for offer in product.terms.on_demand.values():
        for dimension in offer.price_dimensions.values():
            usd = dimension.price_per_unit.get("USD")
            if dimension.unit == "Hrs" and usd:
                yield usd
