"""values.schema.json refuses what the chart would take silently, and knows every value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import helm_python as helm
import pytest

from tests.charts.helm import render
from tests.charts.pools import BESIDE, MINIMAL

TLS = {"enabled": True, "secretName": "gate-tls"}


def wrong(path: str, value: Any) -> dict[str, Any]:
    """``value`` at ``a.b.c``, and nothing else."""
    values: Any = value
    for key in reversed(path.split(".")):
        values = {key: values}
    assert isinstance(values, dict)
    return values


@pytest.mark.parametrize("name", ["1234", "on", "null"])
def test_a_pools_name_stays_a_text_wherever_it_stands(name: str) -> None:
    """Kubernetes takes nothing else for a label."""
    on_all = {"monitoring": {"podMonitor": {"enabled": True}}, "autoscaling": {"mode": "hpa"}}
    for each in render("llm-server", MINIMAL, wrong("pool.name", name), on_all):
        pod = each["spec"].get("template", {"metadata": {}}) if "spec" in each else {"metadata": {}}
        for labels in (each["metadata"]["labels"], pod["metadata"].get("labels", {})):
            assert all(isinstance(value, str) for value in labels.values()), each["kind"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("replcas", 2),
        ("pool.name", "a pool"),
        ("pool.nme", "aws"),
        ("host", "https://aws.llm.example.com"),
        ("host", "AWS.llm.example.com"),
        ("replicas", -1),
        ("replicas", "two"),
        ("model.slots", 0),
        ("model.custom", {"name": "own"}),
        ("delivery.cache.mode", "rwo"),
        ("delivery.cache.size", "5 GB"),
        ("images.router.digest", "latest"),
        ("images.router.digest", f"sha256:{'AB' * 32}"),
        ("images.server.digest", ""),
        ("images.sidecar", {}),
        ("server.extraArgs", ["--host", "::"]),
        ("server.extraArgs", ["--api-key", "secret"]),
        ("server.extraArgs", ["--api_key", "secret"]),
        ("server.extraArgs", ["--flash-attn=on"]),
        ("server.extraArgs", ["-m", "model.gguf"]),
        ("server.extraArgs", ["--no-metrics"]),
        ("server.startupSeconds", 1),
        ("resources.limits", {"nvidia.com/gpu": 0.5}),
        ("resources.limits", {"nvidia.com/gpu": "500m"}),
        ("resources.requests", {"cpu": "one"}),
        ("resources.requests", {"memroy": "1Gi"}),
        ("gate.keys.secretName", ""),
        ("gate.keys.secret", "c2VjcmV0"),
        ("gate.maxBody", "5 megabytes"),
        ("gate.tls.certificate.issuerKind", "CA"),
        ("exporter.overheadFactor", 0.5),
        ("drain.endpointSeconds", -1),
        ("terminationGracePeriodSeconds", 0),
        ("nodeSelector", {"pool": 1}),
        ("tolerations", [{"key": "spot", "operater": "Exists"}]),
        ("tolerations", [{"key": "spot", "effect": "NO_SCHEDULE"}]),
        ("service.port", 70000),
        ("service.discovery.annotations", {"apiKey": "x"}),
        ("route.timeout", "10 minutes"),
        ("route.gateway.namespace", "Platform"),
        ("ingress.className", "Nginx!"),
        ("networkPolicy.gateway", []),
        ("monitoring.podMonitor.interval", "15 sec"),
        ("autoscaling.keda.prometheusUrl", "prometheus:9090"),
        ("autoscaling.hpa.cpuUtilisation", 120),
    ],
)
def test_what_makes_no_sense_is_refused(path: str, value: Any) -> None:
    with pytest.raises(helm.HelmValuesError):
        render("llm-server", MINIMAL, wrong(path, value))


@pytest.mark.parametrize("path", ["pool.name", "host", "gate.keys.secretName", "images.router.digest"])
def test_what_nobody_can_guess_must_be_said(path: str) -> None:
    with pytest.raises(helm.HelmValuesError):
        render("llm-server", MINIMAL, wrong(path, None))


@pytest.mark.parametrize("price", [{}, {"cloud": "aws"}, {"usdPerHour": 1, "usdPerHr": 2}, {"usdPerHour": 0}])
def test_an_exporter_in_the_pod_must_be_told_what_a_node_costs(price: dict[str, Any]) -> None:
    with pytest.raises(helm.HelmValuesError, match="price"):
        render("llm-server", MINIMAL, {"exporter": {"enabled": True, "price": price}})


IMAGE = {"source": "image", "image": {"reference": f"r.example.com/m@sha256:{'cd' * 32}", "file": "tiny.gguf"}}
ELSEWHERE = {
    "name": "tiny",
    "file": {"uri": "oci://r.example.com/m", "sha256": "ef" * 32, "sizeBytes": 1000},
    "contextLength": 2048,
    "kvBytesPerToken": 1000,
    "pools": [{"pool": "cpu", "slots": 1, "contextPerSlot": 512}],
}
SHARED = {"mode": "shared", "existingClaim": "weights"}


@pytest.mark.parametrize(
    ("values", "word", "changed"),
    [
        ({"gate": {"tls": {"clientCertificates": True}}}, "nobody would be asked", {"gate": {"tls": TLS}}),
        ({"gate": {"tls": {"certificate": {"enabled": True}}}}, "would not use it", {"gate": {"tls": TLS}}),
        (
            {"ingress": {"enabled": True, "className": "traefik", "clientCaSecret": "llm/ca"}},
            "only nginx",
            {"ingress": {"className": "nginx"}},
        ),
        ({"delivery": {"cache": {"existingClaim": "weights"}}}, "not be mounted", {"delivery": {"cache": SHARED}}),
        ({"model": {"custom": ELSEWHERE}}, "https:// alone", {"delivery": IMAGE}),
        ({"replicas": 2, **BESIDE}, "its own pod", {"replicas": 1}),
        ({"autoscaling": {"mode": "keda"}, **BESIDE}, "its own pod", {"autoscaling": {"mode": "none"}}),
        ({"drain": {"endpointSeconds": 107}}, "leaves nothing", {"drain": {"endpointSeconds": 106}}),
    ],
)
def test_values_that_would_do_nothing_beside_others_are_refused(
    values: dict[str, Any], word: str, changed: dict[str, Any]
) -> None:
    with pytest.raises(helm.HelmError, match=word):
        render("llm-server", MINIMAL, values)
    render("llm-server", MINIMAL, values, changed)


def test_the_schema_allows_nothing_further_anywhere() -> None:
    """Each mapping with known keys refuses an unknown one."""
    known = helm.Chart.load("charts/llm-server").schema
    assert known is not None
    open_to_all = {"global", "definitions.model.pools[]"}

    def walk(node: Any, path: str) -> Iterator[str]:
        if isinstance(node, dict):
            if node.get("type") == "object" and node.get("additionalProperties") is None:
                yield path
            for key, value in node.items():
                if key == "properties":
                    for name, inner in value.items():
                        yield from walk(inner, f"{path}.{name}".lstrip("."))
                elif key == "items":
                    yield from walk(value, f"{path}[]")
                elif key in ("definitions",):
                    for name, inner in value.items():
                        yield from walk(inner, f"definitions.{name}")

    assert set(walk(known, "")) == open_to_all
