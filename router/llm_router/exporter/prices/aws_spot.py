"""AWS's spot prices: what EC2 charges now, in each zone.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html: asked for the time from now on
it answers with the price in force in each zone; its timestamp is when that price began. Where the clock here is late it
answers with the changes since, too, and the newest counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from .aws import MAX_ITEMS, AwsApi
from .base import PriceUnknown

PRODUCT = "Linux/UNIX"
_ADVICE = {
    "UnauthorizedOperation": "allow ec2:DescribeSpotPriceHistory",
    "AuthFailure": "AWS does not know these credentials, or the region is not enabled",
}


class AwsSpot:
    """A ``PriceSource``: the highest price among ``zones``, or among all zones of the region.

    The highest, because which zone the next node comes from is not known before, and a pool must not look cheaper than
    it is.
    """

    label = "aws_spot"

    def __init__(
        self,
        instance_type: str,
        region: str,
        *,
        zones: Sequence[str] = (),
        unix_time: Callable[[], float],
        url: str | None = None,
    ) -> None:
        self._instance_type, self._region, self._zones = instance_type, region, tuple(zones)
        self._unix_time = unix_time
        self._api = AwsApi("ec2", region, url, _ADVICE)

    async def usd_per_hour(self) -> float:
        history = await self._api.call(self._ask)
        try:
            prices = _newest(price for price in history if self._is_ours(price))
        except (KeyError, ValueError) as error:
            raise PriceUnknown(f"AWS's answer is not what was expected: {error!r}") from error
        if not prices:
            where = ", ".join(self._zones) or self._region
            raise PriceUnknown(f"AWS has no spot price of {self._instance_type} with Linux in {where}")
        return max(prices)

    async def aclose(self) -> None:
        await self._api.aclose()

    def _ask(self, client: Any) -> list[dict[str, Any]]:
        zones = [{"Name": "availability-zone", "Values": list(self._zones)}] if self._zones else []
        pages = client.get_paginator("describe_spot_price_history").paginate(
            InstanceTypes=[self._instance_type],
            ProductDescriptions=[PRODUCT],
            StartTime=datetime.fromtimestamp(self._unix_time(), UTC),
            Filters=zones,
            PaginationConfig={"MaxItems": MAX_ITEMS},
        )
        return [price for page in pages for price in page.get("SpotPriceHistory", ())]

    def _is_ours(self, price: dict[str, Any]) -> bool:
        """``Linux/UNIX (Amazon VPC)`` is the same product."""
        return (
            price["InstanceType"] == self._instance_type
            and price["ProductDescription"].startswith(PRODUCT)
            and (not self._zones or price["AvailabilityZone"] in self._zones)
        )


def _newest(history: Iterable[dict[str, Any]]) -> list[float]:
    """The newest price of each zone."""
    newest = {price["AvailabilityZone"]: price for price in sorted(history, key=lambda price: price["Timestamp"])}
    return [float(price["SpotPrice"]) for price in newest.values()]
