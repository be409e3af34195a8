"""The exporter's own configuration file: one pool, its llama-servers, what its nodes cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from ..api.serving import parse_address
from ..config.hosts import is_loopback
from ..config.scalars import Count, Name, Positive, Seconds, Secret, Text
from ..config.schema import Base
from ..errors import ConfigError, Problem

MIN_INTERVAL_S = 2
"""llama.cpp notices that a caller of a whole answer left only after a second in which nothing else happened, and each
scrape is something: faster polling would keep abandoned requests alive."""


class Upstream(Base):
    url: Annotated[Text, "URL of one llama-server of the pool."]
    api_key: Annotated[Secret | None, "The key that it asks for."] = None


class NodePriceConfig(Base):
    """Either ``usdPerHour``, or ``cloud``, ``instanceType`` and ``region`` to be looked up in the dated table."""

    usd_per_hour: Annotated[Positive | None, "USD per node and hour, as the operator knows it."] = None
    as_of: Annotated[str | None, "The day for which usdPerHour was true, as 2026-01-31."] = None
    cloud: Annotated[Literal["aws", "gcp", "azure"] | None, "Whose instance type it is."] = None
    instance_type: Annotated[Text | None, "Instance type of the pool's nodes."] = None
    region: Annotated[Text | None, "Region of the pool."] = None


class ExporterConfig(Base):
    """The whole of ``exporter.yaml``."""

    pool: Annotated[Name, "The cluster's name: the target in its status, the pool label of its metrics."]
    upstreams: Annotated[tuple[Upstream, ...], Meta(min_length=1), "The pool's llama-servers."]
    price: Annotated[NodePriceConfig, "What one node costs."]
    listen: Annotated[Text, "host:port to serve on. Loopback only: nothing here asks for a signature."] = (
        "127.0.0.1:9402"
    )
    nodes: Annotated[Count, "Nodes that the pool runs on."] = 1
    overhead_factor: Annotated[float, Meta(ge=1), "Node price times this is what a node costs."] = 1.10
    window: Annotated[Seconds, Meta(ge=10), "Time over which the realised cost is taken."] = Seconds(300)
    interval: Annotated[Seconds, Meta(ge=MIN_INTERVAL_S), "Time between two readings, at least 2s."] = Seconds(5)


def check(config: ExporterConfig) -> None:
    """Raises ``ConfigError`` with everything that the types alone do not catch."""
    problems = [*_listen(config), *_upstreams(config), *_price(config.price)]
    if problems:
        raise ConfigError(problems)


def _listen(config: ExporterConfig) -> Iterator[Problem]:
    try:
        host, _ = parse_address(config.listen)
    except ValueError as error:
        yield Problem("listen", str(error))
        return
    if not is_loopback(host):
        yield Problem("listen", "must be a loopback address: what is told here is unsigned, the gate passes it on")


def _upstreams(config: ExporterConfig) -> Iterator[Problem]:
    for index, upstream in enumerate(config.upstreams):
        parts = urlsplit(upstream.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            message = "must be an http:// or https:// URL without credentials, like http://127.0.0.1:8081"
            yield Problem(f"upstreams[{index}].url", message)


def _price(price: NodePriceConfig) -> Iterator[Problem]:
    looked_up = (price.cloud, price.instance_type, price.region)
    if price.usd_per_hour is None and None in looked_up:
        yield Problem("price", "give usdPerHour, or all of cloud, instanceType and region")
    if price.usd_per_hour is not None and any(looked_up):
        yield Problem("price", "give either usdPerHour or an instance type, not both: one of them would be ignored")
    if price.as_of is not None:
        try:
            date.fromisoformat(price.as_of)
        except ValueError:
            yield Problem("price.asOf", "must be a day as 2026-01-31")
