"""What the types alone do not catch in the section ``price`` of ``exporter.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from ...config.hosts import url_fault
from ...errors import Problem
from ..config import LivePriceConfig, NodePriceConfig, OpenCostConfig
from .gcp_machine import parts_of
from .static import find

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


def problems(price: NodePriceConfig) -> Iterator[Problem]:
    if price.usd_per_hour is not None:
        yield from _explicit(price)
        return
    if price.as_of is not None:
        yield Problem("price.asOf", "is the day of usdPerHour: give that too, or leave it out")
    named = {"cloud": price.cloud, "instanceType": price.instance_type, "region": price.region}
    if None in named.values():
        yield Problem("price", "give usdPerHour, or all of cloud, instanceType and region")
        return
    for key, value in named.items():
        # They become parts of queries in three languages.
        if _NAME.fullmatch(value or "") is None:
            yield Problem(f"price.{key}", "must be the cloud's own name: letters, digits and . _ + -")
    if price.live is not None:
        yield from _live(price, price.live)
    if price.open_cost is not None:
        yield from _open_cost(price.open_cost)
    if price.live is None and price.open_cost is None:
        yield from _in_the_table(price)


def _explicit(price: NodePriceConfig) -> Iterator[Problem]:
    if price.cloud or price.instance_type or price.region or price.live or price.open_cost:
        yield Problem("price", "give either usdPerHour or an instance type, not both: one of them would be ignored")
    if price.as_of is not None:
        try:
            date.fromisoformat(price.as_of)
        except ValueError:
            yield Problem("price.asOf", "must be a day as 2026-01-31")


def _live(price: NodePriceConfig, live: LivePriceConfig) -> Iterator[Problem]:
    if live.zones and not (price.cloud == "aws" and price.is_spot):
        yield Problem("price.live.zones", "only AWS's spot prices differ by zone: leave it out")
    if live.api_key is not None and price.cloud != "gcp":
        yield Problem("price.live.apiKey", "only Google's catalogue takes a key: leave it out")
    if live.url is not None and (fault := url_fault(live.url, private=False)):
        yield Problem("price.live.url", fault)
    if price.cloud == "gcp":
        try:
            parts_of(price.instance_type or "")
        except ValueError as error:
            yield Problem("price.instanceType", str(error))


def _open_cost(settings: OpenCostConfig) -> Iterator[Problem]:
    urls = {"metricsUrl": settings.metrics_url, "prometheusUrl": settings.prometheus_url}
    given = {key: url for key, url in urls.items() if url is not None}
    if len(given) != 1:
        yield Problem("price.openCost", "give one of metricsUrl and prometheusUrl")
    for key, url in given.items():
        if fault := url_fault(url, private=True):
            yield Problem(f"price.openCost.{key}", fault)
    if settings.query is not None and settings.prometheus_url is None:
        yield Problem("price.openCost.query", "is asked of a Prometheus: give prometheusUrl")


def _in_the_table(price: NodePriceConfig) -> Iterator[Problem]:
    where = price.cloud or "", price.instance_type or "", price.region or ""
    if find(*where) is None:
        cloud, instance_type, region = where
        message = f"the price table has no {instance_type} of {cloud} in {region}: ask for it with live, or usdPerHour"
        yield Problem("price", message)
