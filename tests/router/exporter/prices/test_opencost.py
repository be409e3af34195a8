"""OpenCost's figure for the pool's nodes, from its metrics and from a Prometheus."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from llm_router.exporter.prices.base import PriceUnknown
from llm_router.exporter.prices.opencost import OpenCostMetrics, OpenCostQuery, query_of
from tests.router.exporter.prices.conftest import Stage
from tests.router.exporter.prices.standins import Standin

METRICS = """# HELP node_total_hourly_cost Total node cost per hour
# TYPE node_total_hourly_cost gauge
node_total_hourly_cost{instance="ip-1",node="ip-1",instance_type="g4dn.xlarge",region="us-west-2",arch="amd64"} 0.5
node_total_hourly_cost{instance="ip-2",node="ip-2",instance_type="g4dn.xlarge",region="us-west-2",arch="amd64"} 0.6
node_total_hourly_cost{instance="ip-3",node="ip-3",instance_type="g4dn.xlarge",region="us-west-2",arch="amd64"} 0
node_total_hourly_cost{instance="ip-4",node="ip-4",instance_type="g4dn.xlarge",region="us-west-2",arch="amd64"} NaN
node_total_hourly_cost{instance="ip-5",node="ip-5",instance_type="m6i.large",region="us-west-2",arch="amd64"} 0.096
node_total_hourly_cost{instance="ip-6",node="ip-6",instance_type="g4dn.xlarge",region="us-east-1",arch="amd64"} 9
node_cpu_hourly_cost{instance="ip-1",node="ip-1",instance_type="g4dn.xlarge",region="us-west-2"} 0.031
"""


class OpenCost(Standin):
    text = METRICS

    def answer(self, request: Request, body: bytes) -> Response:
        assert request.url.path == "/metrics"
        return PlainTextResponse(self.text)


class Prometheus(Standin):
    answered: Any = None

    def answer(self, request: Request, body: bytes) -> Response:
        if request.url.path != "/prom/api/v1/query":
            return PlainTextResponse("404 page not found", 404)
        if request.query_params["query"].count("{") != request.query_params["query"].count("}"):
            said = {"status": "error", "errorType": "bad_data", "error": "parse error: unexpected left brace"}
            return JSONResponse(said, 400)
        return JSONResponse(self.answered)


def metrics(instance_type: str = "g4dn.xlarge") -> Any:
    return lambda url: OpenCostMetrics(f"{url}/metrics", instance_type, "us-west-2")


def query(promql: str = query_of("g4dn.xlarge", "us-west-2")) -> Any:
    return lambda url: OpenCostQuery(f"{url}/prom", promql)


def vector(*values: str) -> dict[str, Any]:
    result = [{"metric": {"node": f"ip-{n}"}, "value": [1_795_000_000.1, value]} for n, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def prometheus(answered: Any) -> Prometheus:
    standin = Prometheus()
    standin.answered = answered
    return standin


def test_the_figure_is_the_mean_of_the_nodes_that_it_can_price(stage: Stage) -> None:
    assert stage.asked(OpenCost(), metrics()) == pytest.approx(0.55)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "knows no price"), ("node_total_hourly_cost{node=", "text format"), (METRICS[:250], "text format|no price")],
    ids=["empty", "no metrics", "half"],
)
def test_metrics_without_such_a_node_are_no_price(stage: Stage, text: str, words: str) -> None:
    opencost = OpenCost()
    opencost.text = text
    with pytest.raises(PriceUnknown, match=words):
        stage.asked(opencost, metrics())


def test_an_instance_type_that_it_has_not_is_no_price(stage: Stage) -> None:
    with pytest.raises(PriceUnknown, match=r"no price of a node with .*x9\.huge"):
        stage.asked(OpenCost(), metrics("x9.huge"))


def test_prometheus_gives_a_sample_for_each_node(stage: Stage) -> None:
    standin = prometheus(vector("0.5", "0.6", "NaN", "0"))
    assert stage.asked(standin, query()) == pytest.approx(0.55)
    asked = standin.asked[0].query_params["query"]
    assert asked == 'node_total_hourly_cost{instance_type="g4dn.xlarge",region="us-west-2"}'


def test_prometheus_may_give_one_number(stage: Stage) -> None:
    answered = {"status": "success", "data": {"resultType": "scalar", "result": [1_795_000_000.1, "0.25"]}}
    assert stage.asked(prometheus(answered), query()) == 0.25


@pytest.mark.parametrize(
    ("answered", "words"),
    [
        (vector(), "no sample"),
        (vector("NaN", "+Inf"), "no sample"),
        (vector("much"), "where a sample should be"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, "ask for a vector"),
        ({"status": "success", "data": {"resultType": "vector", "result": [{}]}}, "where a sample should be"),
        ({"status": "success"}, "not what was expected"),
    ],
)
def test_what_is_no_sample_is_no_price(stage: Stage, answered: Any, words: str) -> None:
    with pytest.raises(PriceUnknown, match=words):
        stage.asked(prometheus(answered), query())


def test_promql_that_prometheus_refuses_is_said(stage: Stage) -> None:
    with pytest.raises(PriceUnknown, match="unexpected left brace"):
        stage.asked(prometheus(vector()), query("node_total_hourly_cost{"))
