"""exporter.yaml: what is accepted, and what is refused with its place and a remedy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_router.config.load import load_struct
from llm_router.errors import ConfigError
from llm_router.exporter.check import check
from llm_router.exporter.config import ExporterConfig

SECRET = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
GATE = {"id": "aws.1", "secret": SECRET, "authority": "aws.llm.example.com"}
STATUS = {
    "listen": "0.0.0.0:8444",
    "authority": "aws.llm.example.com",
    "keys": [{"id": "aws.1", "secret": SECRET}],
}
EXAMPLE: dict[str, Any] = {
    "listen": "127.0.0.1:9402",
    "pool": "aws-us-west-2",
    "upstreams": [{"url": "http://127.0.0.1:8081", "apiKey": "${LLAMA_API_KEY}"}],
    "nodes": 2,
    "price": {"usdPerHour": 0.378, "asOf": "2026-11-01"},
    "overheadFactor": 1.1,
    "window": "5m",
    "interval": "2s",
}


def loaded(tmp_path: Path, data: Mapping[str, Any]) -> ExporterConfig:
    path = tmp_path / "exporter.yaml"
    path.write_text(yaml.safe_dump(dict(data)))
    config = load_struct(str(path), ExporterConfig, {"LLAMA_API_KEY": "the-key-of-llama-server"})
    check(config)
    return config


def test_the_example_loads(tmp_path: Path) -> None:
    config = loaded(tmp_path, EXAMPLE)
    assert (config.nodes, config.price.usd_per_hour, float(config.window), float(config.interval)) == (2, 0.378, 300, 2)
    assert config.upstreams[0].api_key == "the-key-of-llama-server"


def test_an_instance_type_stands_for_its_price(tmp_path: Path) -> None:
    price = {"cloud": "azure", "instanceType": "Standard_NC4as_T4_v3", "region": "eastus"}
    assert loaded(tmp_path, {**EXAMPLE, "price": price}).price.usd_per_hour is None


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": "0.0.0.0:9400", "status": STATUS},
        {"upstreams": [{"url": "http://llama-headless:8081", "dns": True}]},
        {"upstreams": [{"url": "http://gates:8443", "dns": True, "gate": GATE}]},
        {"upstreams": [], "kubernetes": {"service": "llama", "gate": GATE, "nodeSelector": "pool=gpu"}},
        {"kubernetes": {"nodeSelector": "pool=gpu"}},
    ],
)
def test_a_pool_may_be_found_and_told_in_several_ways(tmp_path: Path, change: dict[str, Any]) -> None:
    loaded(tmp_path, {**EXAMPLE, **change})


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"listen": "0.0.0.0:9402"}, "listen", "loopback"),
        ({"listen": "9402"}, "listen", "host:port"),
        ({"metrics": "9400"}, "metrics", "host:port"),
        ({"metricsToken": "${LLAMA_API_KEY}"}, "metricsToken", "give metrics, too"),
        ({"upstreams": []}, "upstreams", "kubernetes.service"),
        ({"kubernetes": {"service": "llama"}}, "upstreams", "kubernetes.service"),
        ({"upstreams": [{"url": "https://llama", "dns": True}]}, "upstreams[0].url", "certificate"),
        ({"upstreams": [{"url": "http://gate", "gate": GATE, "apiKey": "x" * 20}]}, "upstreams[0].apiKey", "leave"),
        (
            {"upstreams": [{"url": "http://gate", "gate": {**GATE, "secret": "c2hvcnQgYnV0IG5vdCBhIHBsYWNlaG9sZGVy"}}]},
            "upstreams[0].gate.secret",
            "32",
        ),
        (
            {"upstreams": [], "kubernetes": {"service": "llama", "gate": {**GATE, "authority": "AWS:443"}}},
            "kubernetes.gate.authority",
            "lower case",
        ),
        ({"status": {**STATUS, "listen": "8444"}}, "status.listen", "host:port"),
        ({"status": {**STATUS, "authority": "https://aws"}}, "status.authority", "lower case"),
        ({"status": {**STATUS, "keys": []}}, "status.keys", ""),
        ({"status": {**STATUS, "keys": [{"id": "a", "secret": SECRET}] * 2}}, "status.keys[1].id", "same id"),
        ({"upstreams": [{"url": "127.0.0.1:8081"}]}, "upstreams[0].url", "http://"),
        ({"upstreams": [{"url": "http://key@127.0.0.1"}]}, "upstreams[0].url", "credentials"),
        ({"interval": "1s"}, "interval", "2"),
        ({"window": "1s"}, "window", ""),
        ({"nodes": 0}, "nodes", ""),
        ({"overheadFactor": 0.5}, "overheadFactor", ""),
        ({"price": {}}, "price", "usdPerHour"),
        ({"price": {"usdPerHour": 0}}, "price.usdPerHour", ""),
        ({"price": {"cloud": "aws", "region": "us-west-2"}}, "price", "instanceType"),
        ({"price": {"usdPerHour": 1, "cloud": "aws"}}, "price", "not both"),
        ({"price": {"usdPerHour": 1, "asOf": "yesterday"}}, "price.asOf", "2026-01-31"),
        ({"pools": "x"}, "pools", "did you mean"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(tmp_path: Path, change: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, {**EXAMPLE, **change})
    assert words in {problem.path: problem.message for problem in caught.value.problems}[path]
