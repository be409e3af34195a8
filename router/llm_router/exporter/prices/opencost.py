"""OpenCost's price of the pool's nodes: from its own metrics, or from a Prometheus that scrapes them.

``node_total_hourly_cost`` is a gauge with the labels ``node``, ``instance_type`` and ``region``
(https://opencost.io/docs/integrations/metrics). The figure is the mean over the pool's nodes, because the cost of a
pool is one price times the number of its nodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from .base import PriceUnknown
from .web import PriceApi

METRIC = "node_total_hourly_cost"
QUERY_PATH = "/api/v1/query"


class Data(Struct, frozen=True, rename="camel"):
    result_type: str
    result: list[Any]


class Answer(Struct, frozen=True):
    status: str
    data: Data


class OpenCostMetrics:
    """A ``PriceSource`` over OpenCost's ``/metrics``: the nodes of one instance type and region."""

    label = "opencost"

    def __init__(self, url: str, instance_type: str, region: str) -> None:
        self._wanted = {"instance_type": instance_type, "region": region}
        self._api = PriceApi(url)

    async def usd_per_hour(self) -> float:
        body = await self._api.get("")
        try:
            samples = _samples(body.decode())
        except ValueError as error:
            raise PriceUnknown(f"OpenCost's metrics are not in Prometheus' text format: {error}") from error
        figures = [value for labels, value in samples if self._wanted.items() <= labels.items()]
        return _mean(figures, f"OpenCost knows no price of a node with {self._wanted}")

    async def aclose(self) -> None:
        await self._api.aclose()


class OpenCostQuery:
    """A ``PriceSource`` over a Prometheus: one sample of ``query`` for each node."""

    label = "opencost"

    def __init__(self, url: str, query: str) -> None:
        self._query = query
        self._api = PriceApi(url)

    async def usd_per_hour(self) -> float:
        answer = await self._api.get_json(QUERY_PATH, Answer, params={"query": self._query})
        if answer.status != "success" or answer.data.result_type not in ("vector", "scalar"):
            raise PriceUnknown(f"Prometheus answers {self._query!r} with {answer.data.result_type}: ask for a vector")
        samples = answer.data.result
        values = [samples] if answer.data.result_type == "scalar" else [_value(sample) for sample in samples]
        return _mean(map(_number, values), f"Prometheus has no sample of {self._query!r} now")

    async def aclose(self) -> None:
        await self._api.aclose()


def query_of(instance_type: str, region: str) -> str:
    """PromQL for the nodes of one instance type and region."""
    return f'{METRIC}{{instance_type="{instance_type}",region="{region}"}}'


def _samples(text: str) -> list[tuple[Mapping[str, str], float]]:
    return [
        (sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == METRIC
    ]


def _value(sample: Any) -> Any:
    return sample.get("value") if isinstance(sample, Mapping) else None


def _number(value: Any) -> float:
    """Of Prometheus' ``[time, "number"]``."""
    try:
        return float(value[1])
    except (TypeError, ValueError, IndexError) as error:
        raise PriceUnknown(f"Prometheus answers {value!r} where a sample should be") from error


def _mean(figures: Iterable[float], otherwise: str) -> float:
    """OpenCost tells zero for a node that it cannot price: such a node says nothing of the others."""
    known = [figure for figure in figures if math.isfinite(figure) and figure != 0]
    if not known:
        raise PriceUnknown(otherwise)
    return sum(known) / len(known)
