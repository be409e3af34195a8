"""What a stack costs a month: idle, and with every pool full. List and table prices, no data transfer, no disks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .settings.model import NodePool, Platform
from .tables import prices
from .tables.prices import HOURS_PER_MONTH, NodePrice


@dataclass(frozen=True, slots=True)
class Item:
    """``idle_usd`` with the smallest pools, ``full_usd`` with the largest, both a month."""

    name: str
    idle_usd: float
    full_usd: float
    source: str


@dataclass(frozen=True, slots=True)
class Estimate:
    items: tuple[Item, ...]

    @property
    def idle_usd(self) -> float:
        return sum(item.idle_usd for item in self.items)

    @property
    def full_usd(self) -> float:
        return sum(item.full_usd for item in self.items)

    def as_output(self) -> dict[str, Any]:
        return {
            "idleUsdPerMonth": round(self.idle_usd, 2),
            "fullUsdPerMonth": round(self.full_usd, 2),
            "items": [
                {
                    "name": item.name,
                    "idleUsdPerMonth": round(item.idle_usd, 2),
                    "fullUsdPerMonth": round(item.full_usd, 2),
                    "source": item.source,
                }
                for item in self.items
            ],
            "without": "data transfer, disks, logs, taxes",
        }


def node_price(platform: Platform, pool: NodePool) -> NodePrice:
    """Price of one node of the pool. Raises ``LookupError`` where nobody knows it."""
    if pool.usd_per_hour is not None:
        return NodePrice(pool.usd_per_hour, "configured", prices.AS_OF)
    if pool.live_price is not None:
        return pool.live_price
    found = prices.from_table(platform.cloud, pool.machine_types[0], platform.region, spot=pool.spot)
    if found is None:
        raise LookupError(pool.machine_types[0])
    return found


def monthly(platform: Platform) -> Estimate:
    fixed = prices.FIXED[platform.cloud]
    with_sla = fixed.control_plane_with_sla if platform.production else fixed.control_plane
    items = [_nodes(platform, pool) for pool in platform.pools]
    items.append(_always("control plane", with_sla))
    if platform.cloud == "azure":
        items.append(_always("system node", prices_of_system_node(platform).usd_per_hour))
    if platform.network.private_nodes:
        # On AWS production has one in each zone.
        gateways = max(len(platform.zones), 2) if platform.cloud == "aws" and platform.production else 1
        items.append(_always("NAT", fixed.nat * gateways))
    elif platform.cloud != "azure":  # whose nodes share the load balancer's address
        smallest, largest = (sum(getattr(pool, key) for pool in platform.pools) for key in ("min_nodes", "max_nodes"))
        month = fixed.public_ip * HOURS_PER_MONTH
        items.append(Item("public addresses of nodes", smallest * month, largest * month, _source()))
    items.append(_always("load balancer", fixed.load_balancer))
    zones = prices.DNS_ZONE_USD_PER_MONTH * len(platform.hosts)
    items.append(Item("DNS zones", zones, zones, _source()))
    return Estimate(tuple(items))


#: AKS keeps its own pods on nodes that cannot be spot ones.
AZURE_SYSTEM_MACHINE = "Standard_D2s_v5"


def prices_of_system_node(platform: Platform) -> NodePrice:
    found = prices.from_table("azure", AZURE_SYSTEM_MACHINE, platform.region, spot=False)
    assert found is not None  # noqa: S101 - the table holds the machine that this module names
    return found


def _nodes(platform: Platform, pool: NodePool) -> Item:
    price = node_price(platform, pool)
    month = price.usd_per_hour * HOURS_PER_MONTH
    source = f"{price.source}, {price.as_of}"
    return Item(f"{pool.kind} nodes", pool.min_nodes * month, pool.max_nodes * month, source)


def _always(name: str, usd_per_hour: float) -> Item:
    month = usd_per_hour * HOURS_PER_MONTH
    return Item(name, month, month, _source())


def _source() -> str:
    return f"table, {prices.AS_OF}"
