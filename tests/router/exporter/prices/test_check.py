"""The section ``price`` of exporter.yaml: what makes sense, and what is refused at its place."""

from __future__ import annotations

from typing import Any

import pytest

from llm_router.config.scalars import Secret
from llm_router.exporter.config import LivePriceConfig, NodePriceConfig, OpenCostConfig
from llm_router.exporter.prices.check import problems

AWS: dict[str, Any] = {"cloud": "aws", "instance_type": "g4dn.xlarge", "region": "us-west-2"}
GCP: dict[str, Any] = {"cloud": "gcp", "instance_type": "n1-standard-4+t4", "region": "us-central1"}
LIVE, SPOT = LivePriceConfig(), {"capacity_type": "spot"}
KEY = LivePriceConfig(api_key=Secret("AIzaSyA-key-for-tests"))
ZONES = LivePriceConfig(zones=("us-west-2a",))


def found(**given: Any) -> dict[str, str]:
    return {problem.path: problem.message for problem in problems(NodePriceConfig(**given))}


@pytest.mark.parametrize(
    "given",
    [
        {"usd_per_hour": 0.378},
        {"usd_per_hour": 0.378, "as_of": "2026-11-01"},
        AWS,
        AWS | SPOT,
        AWS | {"live": LIVE},
        AWS | SPOT | {"live": ZONES},
        AWS | {"instance_type": "x9.huge", "live": LIVE},
        AWS | {"instance_type": "x9.huge", "open_cost": OpenCostConfig(metrics_url="http://opencost:9003/metrics")},
        AWS | {"open_cost": OpenCostConfig(prometheus_url="http://prometheus:9090", query="vector(1)")},
        GCP | {"live": KEY},
        GCP | {"live": LivePriceConfig(url="http://127.0.0.1:8080")},
        {"cloud": "azure", "instance_type": "Standard_NC4as_T4_v3", "region": "eastus", "live": LIVE},
    ],
)
def test_what_makes_sense_is_accepted(given: dict[str, Any]) -> None:
    assert found(**given) == {}


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        ({}, "price", "usdPerHour"),
        ({"cloud": "aws", "region": "us-west-2"}, "price", "instanceType"),
        ({"usd_per_hour": 1.0, "cloud": "aws"}, "price", "not both"),
        ({"usd_per_hour": 1.0, "live": LIVE}, "price", "not both"),
        ({"usd_per_hour": 1.0, "as_of": "yesterday"}, "price.asOf", "2026-01-31"),
        (AWS | {"as_of": "2026-01-31"}, "price.asOf", "usdPerHour"),
        (AWS | {"instance_type": "x9.huge"}, "price", "no x9.huge of aws in us-west-2"),
        (AWS | {"instance_type": "g4dn' or 1 eq '1", "live": LIVE}, "price.instanceType", "own name"),
        (AWS | {"region": 'us-west-2"} or vector(1)', "live": LIVE}, "price.region", "own name"),
        (AWS | {"live": ZONES}, "price.live.zones", "spot"),
        (GCP | SPOT | {"live": ZONES}, "price.live.zones", "AWS"),
        (AWS | {"live": KEY}, "price.live.apiKey", "Google"),
        (AWS | {"live": LivePriceConfig(url="http://ec2.example.com")}, "price.live.url", "https"),
        (GCP | {"instance_type": "z9-standard-4", "live": KEY}, "price.instanceType", "known family"),
        (AWS | {"open_cost": OpenCostConfig()}, "price.openCost", "one of"),
        (
            AWS | {"open_cost": OpenCostConfig(metrics_url="http://a/metrics", prometheus_url="http://b")},
            "price.openCost",
            "one of",
        ),
        (AWS | {"open_cost": OpenCostConfig(metrics_url="opencost:9003")}, "price.openCost.metricsUrl", "HOST"),
        (
            AWS | {"open_cost": OpenCostConfig(metrics_url="http://a/metrics", query="vector(1)")},
            "price.openCost.query",
            "prometheusUrl",
        ),
    ],
)
def test_what_makes_none_is_refused_at_its_place(given: dict[str, Any], path: str, words: str) -> None:
    assert words in found(**given)[path]
