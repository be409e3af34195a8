"""Azure's retail prices, which it tells everybody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import httpx

from ..live import LiveError, price
from ..settings.model import NodePool, Platform
from ..tables.prices import NodePrice

URL = "https://prices.azure.com/api/retail/prices"
SOURCE = "azure retail prices"
_VERSION = "2023-01-01-preview"

#: Query → the answer, decoded. Raises ``LiveError``.
Fetch = Callable[[dict[str, str]], dict[str, Any]]


def ask(platform: Platform, pool: NodePool) -> NodePrice | None:
    return lowest(platform.region, pool.machine_types[0], spot=pool.spot, fetch=_fetch)


def lowest(region: str, machine: str, *, spot: bool, fetch: Fetch) -> NodePrice | None:
    """The pay-as-you-go price of a Linux machine. None where Azure does not list it."""
    wanted = (
        f"serviceName eq 'Virtual Machines' and armRegionName eq '{region}' and armSkuName eq '{machine}' "
        "and priceType eq 'Consumption'"
    )
    found = []
    for item in fetch({"api-version": _VERSION, "$filter": wanted}).get("Items", ()):
        is_spot, other = " Spot" in item["skuName"], " Low Priority" in item["skuName"]
        if is_spot is spot and not other and "Windows" not in item["productName"]:
            found.append(float(item["retailPrice"]))
    return price(min(found), SOURCE, date.today()) if found else None


def _fetch(query: dict[str, str]) -> dict[str, Any]:
    try:
        answer = httpx.get(URL, params=query, timeout=10, follow_redirects=False)
        answer.raise_for_status()
        return dict(answer.json())
    except (httpx.HTTPError, ValueError) as error:
        raise LiveError(f"{URL} does not answer ({error})") from error
