"""Node prices of last resort, USD an hour: used where the cloud cannot be asked. Dated, and never told as live.

GPU nodes: SkyPilot's catalog v8 (AWS, Google Cloud) and v6 (Azure); spot prices are the dearest zone of the region.
CPU nodes and control planes: the vendors' public price pages, Linux, on demand. Read November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ..clouds import Cloud

AS_OF = date(2026, 11, 20)
HOURS_PER_MONTH = 730


@dataclass(frozen=True, slots=True)
class NodePrice:
    """``source`` is ``configured``, ``table``, ``table, other region`` or the name of a live source."""

    usd_per_hour: float
    source: str
    as_of: date


#: (machine, region) → (on demand, spot). Regions not listed take the first entry of the machine.
_TABLE: dict[Cloud, dict[tuple[str, str], tuple[float, float]]] = {
    "aws": {
        ("g4dn.xlarge", "us-west-2"): (0.526, 0.252),
        ("g4dn.xlarge", "us-east-1"): (0.526, 0.219),
        ("g4dn.xlarge", "us-east-2"): (0.526, 0.214),
        ("g4dn.xlarge", "eu-west-1"): (0.587, 0.283),
        ("g4dn.2xlarge", "us-west-2"): (0.752, 0.36),
        ("g4dn.4xlarge", "us-west-2"): (1.204, 0.58),
        ("t3.large", "us-west-2"): (0.0832, 0.033),
        ("t3.xlarge", "us-west-2"): (0.1664, 0.066),
        ("m6i.large", "us-west-2"): (0.096, 0.04),
        ("m6i.xlarge", "us-west-2"): (0.192, 0.08),
        ("m6a.xlarge", "us-west-2"): (0.1728, 0.07),
        ("c6i.xlarge", "us-west-2"): (0.17, 0.07),
        ("c6i.2xlarge", "us-west-2"): (0.34, 0.14),
    },
    "gcp": {
        # The machine with its T4: 0.19 and 0.35 on demand, about 0.04 and 0.175 as spot.
        ("n1-standard-4", "us-central1"): (0.54, 0.215),
        ("n1-standard-4", "us-east4"): (0.54, 0.2),
        ("n1-standard-4", "us-west4"): (0.54, 0.17),
        ("n1-standard-4", "europe-west4"): (0.5775, 0.22),
        ("n1-standard-8", "us-central1"): (0.73, 0.255),
        ("n1-highmem-4", "us-central1"): (0.587, 0.225),
        ("e2-standard-2", "us-central1"): (0.067, 0.02),
        ("e2-standard-4", "us-central1"): (0.134, 0.04),
        ("n2-standard-4", "us-central1"): (0.1942, 0.047),
        ("c3-standard-4", "us-central1"): (0.2088, 0.05),
    },
    "azure": {
        # The catalog's spot price of 0.06 was of one quiet month: the table keeps a quarter of the list price.
        ("Standard_NC4as_T4_v3", "eastus"): (0.526, 0.13),
        ("Standard_NC8as_T4_v3", "eastus"): (0.752, 0.188),
        ("Standard_D2s_v5", "eastus"): (0.096, 0.02),
        ("Standard_D4s_v5", "eastus"): (0.192, 0.04),
        ("Standard_D4as_v5", "eastus"): (0.172, 0.035),
        ("Standard_F4s_v2", "eastus"): (0.169, 0.034),
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedPrices:
    """USD an hour. ``nat`` without the price of data; ``public_ip`` each."""

    control_plane: float
    control_plane_with_sla: float
    nat: float
    load_balancer: float
    public_ip: float


FIXED: dict[Cloud, FixedPrices] = {
    "aws": FixedPrices(
        control_plane=0.10, control_plane_with_sla=0.10, nat=0.045, load_balancer=0.0225, public_ip=0.005
    ),
    "gcp": FixedPrices(
        control_plane=0.10, control_plane_with_sla=0.10, nat=0.0064, load_balancer=0.025, public_ip=0.005
    ),
    "azure": FixedPrices(
        control_plane=0.0, control_plane_with_sla=0.10, nat=0.045, load_balancer=0.025, public_ip=0.005
    ),
}
#: A hosted zone, a month (Route 53; the others are cheaper).
DNS_ZONE_USD_PER_MONTH = 0.5


def from_table(cloud: Cloud, machine: str, region: str, *, spot: bool) -> NodePrice | None:
    """None where the machine is not in the table at all."""
    index = 1 if spot else 0
    here = _TABLE[cloud].get((machine, region))
    if here is not None:
        return NodePrice(here[index], "table", AS_OF)
    for (name, _), prices in _TABLE[cloud].items():
        if name == machine:
            return NodePrice(prices[index], "table, other region", AS_OF)
    return None
