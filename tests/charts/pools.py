"""Values of pools as the tests deploy them."""

from __future__ import annotations

from itertools import product
from typing import Any

from tests.charts.helm import values_file

ROUTER_IMAGE = {
    "repository": "registry.example.com/llm-router",
    "tag": "0.1.0",
    "digest": f"sha256:{'ab' * 32}",
}
CLOUDS = ("aws", "gcp", "azure")
PLACES = tuple(product(CLOUDS, ("cpu", "gpu")))
PRICES: dict[str, dict[str, Any]] = {
    "cpu": {"usdPerHour": 0.0928},
    "aws": {"cloud": "aws", "instanceType": "g4dn.xlarge", "region": "us-west-2"},
    "gcp": {"cloud": "gcp", "instanceType": "n1-standard-4+t4", "region": "us-central1"},
    "azure": {"cloud": "azure", "instanceType": "Standard_NC4as_T4_v3", "region": "eastus"},
}
MINIMAL: dict[str, Any] = {
    "pool": {"name": "aws"},
    "host": "aws.llm.example.com",
    "images": {"router": ROUTER_IMAGE},
    "gate": {"keys": {"secretName": "aws-gate"}},
}
BESIDE: dict[str, Any] = {"exporter": {"enabled": True, "price": PRICES["cpu"]}}
"""An exporter in the pod itself."""


def on(cloud: str, kind: str) -> dict[str, Any]:
    """A pool of that kind on that cloud."""
    name = cloud if kind == "cpu" else f"{cloud}-gpu"
    return {
        **values_file("llm-server", "clouds", f"{cloud}-{kind}.yaml"),
        "pool": {"name": name},
        "host": f"{name}.llm.example.com",
        "model": {"name": "tinyllama-1.1b-chat" if kind == "cpu" else "llama-2-7b-chat"},
        "images": {"router": ROUTER_IMAGE},
        "gate": {"keys": {"secretName": f"{name}-gate"}},
        "exporter": {"price": PRICES["cpu" if kind == "cpu" else cloud]},
    }


def exported(cloud: str, kind: str) -> dict[str, Any]:
    """The exporter of that pool, in the form of the chart exporters."""
    name = cloud if kind == "cpu" else f"{cloud}-gpu"
    return {
        "name": name,
        "service": f"{kind}-llm-server",
        "host": f"{name}.llm.example.com",
        "keysSecret": f"{name}-gate",
        "nodeSelector": f"llm-platform/pool={kind}",
        "price": PRICES["cpu" if kind == "cpu" else cloud],
    }
