"""What a node costs per hour: one small protocol, and the sources that need nobody's API.

A source that does not know says so; an unknown price stays unknown and never becomes zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Literal, Protocol

from msgspec import Struct

from ..errors import ConfigError, Problem, RouterError
from .config import NodePriceConfig

Cloud = Literal["aws", "gcp", "azure"]


class PriceUnknown(RouterError):
    """This source has no price; the message says what it would need."""


class NodePrice(Struct, frozen=True, kw_only=True):
    """USD for one node and hour. ``source`` is a label, ``as_of`` the Unix time for which the price was true, ``None``
    where nobody said."""

    usd_per_hour: float
    source: str
    as_of: float | None = None

    def age_s(self, now: float) -> float | None:
        return None if self.as_of is None else max(0.0, now - self.as_of)


class PriceSource(Protocol):
    async def price(self) -> NodePrice:
        """The price now. Raises ``PriceUnknown``."""
        ...


class ExplicitPrice:
    """What the operator wrote down."""

    def __init__(self, usd_per_hour: float, as_of: date | None = None) -> None:
        self._price = NodePrice(usd_per_hour=usd_per_hour, source="config", as_of=_unix(as_of))

    async def price(self) -> NodePrice:
        return self._price


class TableRow(Struct, frozen=True):
    cloud: Cloud
    instance_type: str
    region: str
    usd_per_hour: float
    as_of: date


_READ = date(2026, 11, 20)
# On-demand list prices for Linux, read that day in the SkyPilot catalog (github.com/skypilot-org/skypilot-catalog: v8,
# for Azure v6). The Google rows are n1-standard-4 (0.19) and one attached T4 (0.35). Spot prices move by the hour and
# have no place in a table.
TABLE: tuple[TableRow, ...] = (
    TableRow("aws", "g4dn.xlarge", "us-east-1", 0.526, _READ),
    TableRow("aws", "g4dn.xlarge", "us-east-2", 0.526, _READ),
    TableRow("aws", "g4dn.xlarge", "us-west-2", 0.526, _READ),
    TableRow("aws", "g4dn.xlarge", "us-west-1", 0.631, _READ),
    TableRow("aws", "g4dn.xlarge", "eu-west-1", 0.587, _READ),
    TableRow("aws", "g4dn.xlarge", "eu-central-1", 0.658, _READ),
    TableRow("gcp", "n1-standard-4+t4", "us-central1", 0.54, _READ),
    TableRow("gcp", "n1-standard-4+t4", "us-east1", 0.54, _READ),
    TableRow("gcp", "n1-standard-4+t4", "us-west1", 0.54, _READ),
    TableRow("azure", "Standard_NC4as_T4_v3", "eastus", 0.526, _READ),
    TableRow("azure", "Standard_NC4as_T4_v3", "westus2", 0.526, _READ),
)


class TablePrice:
    """A row of a dated table: right when nothing better is known, and its age says how much to believe it."""

    def __init__(self, cloud: str, instance_type: str, region: str, table: Iterable[TableRow] = TABLE) -> None:
        self._wanted = (cloud, instance_type.lower(), region)
        self._rows: dict[tuple[str, str, str], TableRow] = {
            (row.cloud, row.instance_type.lower(), row.region): row for row in table
        }

    async def price(self) -> NodePrice:
        row = self._rows.get(self._wanted)
        if row is None:
            cloud, instance_type, region = self._wanted
            raise PriceUnknown(f"the price table has no {instance_type} of {cloud} in {region}: set price.usdPerHour")
        return NodePrice(usd_per_hour=row.usd_per_hour, source="table", as_of=_unix(row.as_of))


class FirstKnown:
    """The first of several sources that knows."""

    def __init__(self, sources: Sequence[PriceSource]) -> None:
        self._sources = tuple(sources)

    async def price(self) -> NodePrice:
        reasons: list[str] = []
        for source in self._sources:
            try:
                return await source.price()
            except PriceUnknown as unknown:
                reasons.append(str(unknown))
        raise PriceUnknown("; ".join(reasons) or "no price source is configured")


async def source_of(config: NodePriceConfig) -> PriceSource:
    """The source that a checked configuration asks for. Raises ``ConfigError`` where it could never know a price."""
    if config.usd_per_hour is not None:
        return ExplicitPrice(config.usd_per_hour, None if config.as_of is None else date.fromisoformat(config.as_of))
    table = TablePrice(config.cloud or "", config.instance_type or "", config.region or "")
    try:
        await table.price()
    except PriceUnknown as unknown:
        raise ConfigError([Problem("price", str(unknown))]) from unknown
    return table


def _unix(day: date | None) -> float | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
