"""What a cluster costs beside its nodes, by cloud: a dated table, used where the configuration says nothing.

List prices in USD, without what traffic adds, as they were known on the date below; the bill knows better. Of the
control planes the cheapest kind (EKS and GKE 0.10 an hour; AKS in its free tier, 0.10 with an SLA; the free GKE cluster
of an account is not counted). One NAT gateway, one load balancer, one public address for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from ..config.schema import Cluster

AS_OF = "2026-11-20"


class Fixed(Struct, frozen=True, kw_only=True):
    """``source`` says where the figure is from; ``known`` is false where nobody says, and nothing is counted."""

    usd_per_hour: float
    source: str
    known: bool = True


_USD_PER_HOUR: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "aws": {"control plane": 0.10, "NAT gateway": 0.045, "network load balancer": 0.0225, "IPv4": 0.005},
        "gcp": {"control plane": 0.10, "Cloud NAT": 0.0064, "forwarding rule": 0.025},
        "azure": {"control plane": 0.0, "NAT gateway": 0.045, "load balancer": 0.025, "IPv4": 0.005},
    }
)


def fixed_cost(cluster: Cluster) -> Fixed:
    if cluster.fixed_cost_per_hour is not None:
        return Fixed(usd_per_hour=cluster.fixed_cost_per_hour, source="fixedCostPerHour")
    parts = _USD_PER_HOUR.get(cluster.provider.lower())
    if parts is None:
        return Fixed(usd_per_hour=0.0, source="none known: set fixedCostPerHour", known=False)
    return Fixed(usd_per_hour=sum(parts.values()), source=f"table of {AS_OF}: {', '.join(parts)}")
