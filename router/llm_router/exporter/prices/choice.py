"""From the configuration to the chain of prices: what is written down, the cloud's API, OpenCost, the dated table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

from ..config import LivePriceConfig, NodePriceConfig, OpenCostConfig
from .aws_on_demand import AwsOnDemand
from .aws_spot import AwsSpot
from .azure_retail import URL as AZURE_URL
from .azure_retail import AzureRetail
from .base import Priced, PriceSource
from .chain import Fetches, Prices
from .explicit import ExplicitPrice
from .gcp_billing import URL as GCP_URL
from .gcp_billing import ApiKey, GcpBilling
from .gcp_credentials import DefaultCredentials
from .live import LivePrice
from .opencost import OpenCostMetrics, OpenCostQuery, query_of
from .static import TablePrice, TableRow, find

AWS_SPOT_REFRESH_S, REFRESH_S = 300.0, 3600.0
"""AWS's spot prices move all day; the others' stand for days, and Google's whole catalogue has to be read for one."""


def prices_of(config: NodePriceConfig, *, clock: Callable[[], float], unix_time: Callable[[], float]) -> Prices:
    """The chain that a checked configuration asks for. ``clock`` is monotonic, ``unix_time`` the wall clock.

    Raises ``ConfigError`` where a source needs a package that is not installed.
    """
    if config.usd_per_hour is not None:
        as_of = None if config.as_of is None else date.fromisoformat(config.as_of)
        return Prices([ExplicitPrice(config.usd_per_hour, as_of, unix_time)])
    fetches = Fetches()
    row = find(config.cloud or "", config.instance_type or "", config.region or "")

    def live(source: PriceSource, refresh_s: float) -> LivePrice:
        reference = None if row is None else row.usd_per_hour
        return LivePrice(
            source, refresh_s=refresh_s, max_age_s=config.max_age, reference=reference, clock=clock, tally=fetches
        )

    return Prices(list(_members(config, row, live, unix_time)), fetches)


def _members(
    config: NodePriceConfig,
    row: TableRow | None,
    live: Callable[[PriceSource, float], LivePrice],
    unix_time: Callable[[], float],
) -> Iterator[Priced]:
    if config.live is not None:
        default_s = AWS_SPOT_REFRESH_S if config.cloud == "aws" and config.is_spot else REFRESH_S
        yield live(_cloud(config, config.live, unix_time), config.live.refresh or default_s)
    if config.open_cost is not None:
        yield live(_open_cost(config, config.open_cost), config.open_cost.refresh)
    if row is not None:
        yield TablePrice(row, spot=config.is_spot, unix_time=unix_time)


def _cloud(config: NodePriceConfig, live: LivePriceConfig, unix_time: Callable[[], float]) -> PriceSource:
    instance_type, region, spot = config.instance_type or "", config.region or "", config.is_spot
    if config.cloud == "aws" and spot:
        return AwsSpot(instance_type, region, zones=live.zones, unix_time=unix_time, url=live.url)
    if config.cloud == "aws":
        return AwsOnDemand(instance_type, region, url=live.url)
    if config.cloud == "gcp":
        credentials = DefaultCredentials() if live.api_key is None else ApiKey(live.api_key)
        url = live.url or GCP_URL
        return GcpBilling(instance_type, region, spot=spot, credentials=credentials, unix_time=unix_time, url=url)
    return AzureRetail(instance_type, region, spot=spot, unix_time=unix_time, url=live.url or AZURE_URL)


def _open_cost(config: NodePriceConfig, settings: OpenCostConfig) -> PriceSource:
    instance_type, region = config.instance_type or "", config.region or ""
    if settings.metrics_url is not None:
        return OpenCostMetrics(settings.metrics_url, instance_type, region)
    query = settings.query or query_of(instance_type, region)
    return OpenCostQuery(settings.prometheus_url or "", query)
