"""A dated table of on-demand prices: right when nothing better is known, and its age says how much to believe it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Literal

from msgspec import Struct

from .base import Quote
from .explicit import age_of

LABEL = "table"
SPOT_LABEL = "table_on_demand"
"""For spot nodes: the table's figure is then an upper bound, and says so."""

Cloud = Literal["aws", "gcp", "azure"]


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


def find(cloud: str, instance_type: str, region: str, table: Iterable[TableRow] = TABLE) -> TableRow | None:
    wanted = (cloud, instance_type.lower(), region)
    return next((row for row in table if (row.cloud, row.instance_type.lower(), row.region) == wanted), None)


class TablePrice:
    """One row. ``unix_time`` is the clock that its age is taken by."""

    def __init__(self, row: TableRow, *, spot: bool, unix_time: Callable[[], float]) -> None:
        self._row, self._label, self._unix_time = row, SPOT_LABEL if spot else LABEL, unix_time

    def quote(self) -> Quote:
        age_s = age_of(self._row.as_of, self._unix_time())
        return Quote(usd_per_hour=self._row.usd_per_hour, source=self._label, age_s=age_s)
