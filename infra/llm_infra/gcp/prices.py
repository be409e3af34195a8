"""Google's public price list, asked by the account that the program runs with: a machine is the sum of its parts.

https://cloud.google.com/billing/docs/reference/rest/v1/services.skus/list: prices are ``units`` and ``nanos`` of a
dollar for each unit of use, in tiers, dated. The exporters of the pools read the same list while the router runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated

import httpx
import msgspec
import pulumi
from msgspec import Meta, Struct
from pulumi_gcp import organizations

from ..live import LiveError, price
from ..settings.model import NodePool, Platform
from ..tables.machines import CPU_MACHINES, GPU_MACHINES
from ..tables.prices import NodePrice

#: What ``gcp:cloudBillingCustomEndpoint`` replaces.
URL = "https://cloudbilling.googleapis.com/v1/"
SOURCE = "gcp billing catalog"
_COMPUTE_ENGINE = "services/6F81-5844-456A/skus"
_PAGE_SIZE, _MAX_PAGES = 5000, 100
_TIMEOUT = httpx.Timeout(20, connect=5)
#: Of a machine type's first word, in the descriptions of what it is billed by.
_FAMILIES = {"n1": "N1 Predefined", "n2": "N2", "e2": "E2", "c3": "C3"}
_ADVICE = {
    401: ": gcloud auth application-default login",
    403: ": gcloud services enable cloudbilling.googleapis.com (so does `pulumi up`), as an account that may use the "
    "project's services",
}


@dataclass(frozen=True, slots=True)
class Part:
    """``quantity`` of ``unit``, billed by the SKU whose description begins with ``name``; the place follows."""

    quantity: float
    unit: str
    name: str
    usage_type: str


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


class PriceList:
    """``read`` gives what is listed for a region. It is asked once for all pools: the list is long."""

    def __init__(self, read: Callable[[str], Sequence[Sku]]) -> None:
        self._listed = cache(read)

    def ask(self, platform: Platform, pool: NodePool) -> NodePrice | None:
        """None of a machine whose parts are not known."""
        now = datetime.now(UTC)
        usd = [_usd(part, platform.region, self._listed(platform.region), now) for part in parts(pool)]
        return price(sum(usd), SOURCE, date.today()) if usd else None


def as_deployer(project: str) -> PriceList:
    """With the token of Pulumi's own provider, however that signed in."""

    def read(region: str) -> Sequence[Sku]:
        url = pulumi.Config("gcp").get("cloudBillingCustomEndpoint") or URL
        try:
            token = organizations.get_client_config().access_token
        except Exception as error:  # The engine's errors have no type of their own.
            raise LiveError(f"Google does not say who is signed in ({error})") from error
        return listed(region, url=url, token=token, project=project)

    return PriceList(read)


def listed(region: str, *, url: str, token: str, project: str) -> Sequence[Sku]:
    """All that Compute Engine bills in the region; ``project``'s quota counts the questions. Raises ``LiveError``."""
    headers = {"authorization": f"Bearer {token}", "x-goog-user-project": project}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT, follow_redirects=False) as client:
            return [sku for sku in _skus(client) if region in sku.service_regions]
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError, RecursionError) as error:
        raise LiveError(f"Google's price list cannot be read ({error})") from error


def parts(pool: NodePool) -> Iterator[Part]:
    """vCPUs, memory and T4 of a machine of the pool. Nothing of a machine that the tables do not know."""
    name = pool.machine_types[0]
    machine = (GPU_MACHINES if pool.kind == "gpu" else CPU_MACHINES)["gcp"].get(name)
    family = _FAMILIES.get(name.split("-")[0])
    if machine is None or family is None:
        return
    usage_type = "Preemptible" if pool.spot else "OnDemand"
    instance, attached = ("Spot Preemptible ", "attached to Spot Preemptible VMs ") if pool.spot else ("", "")
    yield Part(machine.vcpus, "h", f"{instance}{family} Instance Core running in ", usage_type)
    yield Part(machine.memory_gib, "GiBy.h", f"{instance}{family} Instance Ram running in ", usage_type)
    if machine.gpus:
        yield Part(machine.gpus, "h", f"Nvidia Tesla T4 GPU {attached}running in ", usage_type)


def _usd(part: Part, region: str, skus: Iterable[Sku], now: datetime) -> float:
    """An hour of the part at the newest price in force. Raises ``LiveError`` where there is none, or it is nothing."""
    prices = [
        (info.effective_time, _dearest(info.pricing_expression))
        for sku in skus
        if sku.description.startswith(part.name) and sku.category.usage_type == part.usage_type
        for info in sku.pricing_info
        if info.pricing_expression.usage_unit == part.unit and info.effective_time <= now
    ]
    _, usd_per_unit = max(prices, default=(now, 0.0))
    if usd_per_unit <= 0:
        raise LiveError(f"Google lists no price in force of {part.name}{region}")
    return part.quantity * usd_per_unit


def _dearest(expression: Expression) -> float:
    """Of all tiers: what is free, or cheaper, for the first hours of a month is not so for a pool."""
    prices = (tier.unit_price for tier in expression.tiered_rates)
    return max((p.units + p.nanos / 1e9 for p in prices if p.currency_code == "USD"), default=0.0)


def _skus(client: httpx.Client) -> Iterator[Sku]:
    query = {"currencyCode": "USD", "pageSize": str(_PAGE_SIZE)}
    for _ in range(_MAX_PAGES):
        answer = client.get(_COMPUTE_ENGINE, params=query)
        if answer.status_code != httpx.codes.OK:
            raise LiveError(f"Google's price list answers {answer.status_code}{_ADVICE.get(answer.status_code, '')}")
        # Whole dollars come as text, as all 64-bit integers of Google's JSON.
        page = msgspec.json.decode(answer.content, type=Page, strict=False)
        yield from page.skus
        if not page.next_page_token:
            return
        query["pageToken"] = page.next_page_token
    raise LiveError(f"Google's price list does not end after {_MAX_PAGES} pages")
