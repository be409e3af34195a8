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
    ("change", "path", "words"),
    [
        ({"listen": "0.0.0.0:9402"}, "listen", "loopback"),
        ({"listen": "9402"}, "listen", "host:port"),
        ({"upstreams": []}, "upstreams", ""),
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
