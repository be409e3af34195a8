"""gate.yaml: what is accepted, and that everything unsafe is refused with its place and a remedy."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_router.config.load import load_struct
from llm_router.errors import ConfigError
from llm_router.gate.config import GateConfig, check

ENV = {
    "LLAMA_API_KEY": "the-key-of-llama-server",
    "GATE_KEY": base64.b64encode(bytes(range(32))).decode(),
    "GATE_KEY_NEXT": base64.b64encode(bytes(range(32, 64))).decode(),
}
EXAMPLE: dict[str, Any] = {
    "listen": "0.0.0.0:8443",
    "upstream": "http://127.0.0.1:8081",
    "upstreamApiKey": "${LLAMA_API_KEY}",
    "target": "aws-us-west-2",
    "authority": "aws.llm.example.com",
    "keys": [
        {"id": "aws-us-west-2.1", "secret": "${GATE_KEY}"},
        {"id": "aws-us-west-2.2", "secret": "${GATE_KEY_NEXT}"},
    ],
    "replay": {"backend": "memory"},
    "maxBody": "5MiB",
    "metrics": "127.0.0.1:9092",
}


def loaded(tmp_path: Path, data: Mapping[str, Any], env: Mapping[str, str] = ENV) -> GateConfig:
    path = tmp_path / "gate.yaml"
    path.write_text(yaml.safe_dump(dict(data)))
    config = load_struct(str(path), GateConfig, env)
    check(config)
    return config


def problems(tmp_path: Path, data: Mapping[str, Any], env: Mapping[str, str] = ENV) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, data, env)
    return {problem.path: problem.message for problem in caught.value.problems}


def test_the_example_loads_with_its_secrets_in_place(tmp_path: Path) -> None:
    config = loaded(tmp_path, EXAMPLE)
    assert config.max_body == 5 * 1024 * 1024
    assert (float(config.header_timeout), float(config.read_timeout), float(config.idle_timeout)) == (10, 30, 30)
    assert config.upstream_api_key == ENV["LLAMA_API_KEY"]
    assert config.key_bytes == {"aws-us-west-2.1": bytes(range(32)), "aws-us-west-2.2": bytes(range(32, 64))}
    assert ENV["GATE_KEY"] not in repr(config)


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"listen": "8443"}, "listen", "host:port"),
        ({"metrics": "127.0.0.1:99999"}, "metrics", "host:port"),
        ({"metrics": None, "metricsToken": "${LLAMA_API_KEY}"}, "metricsToken", "give metrics, too"),
        ({"upstream": "http://10.0.0.7:8081"}, "upstream", "loopback"),
        ({"upstream": "http://llama:8081"}, "upstream", "loopback"),
        ({"upstream": "https://127.0.0.1:8081"}, "upstream", "loopback"),
        ({"upstream": "http://127.0.0.1:8081/v1"}, "upstream", "loopback"),
        ({"upstream": "http://u:p@127.0.0.1:8081"}, "upstream", "loopback"),
        ({"upstream": "http://127.0.0.1:x"}, "upstream", "loopback"),
        ({"statusUrl": "http://exporter:9402/cluster/status"}, "statusUrl", "loopback"),
        ({"authority": "AWS.llm.example.com"}, "authority", "aws.llm.example.com"),
        ({"authority": "aws.llm.example.com:443"}, "authority", "aws.llm.example.com"),
        ({"authority": "https://aws.llm.example.com"}, "authority", "the endpoint's host"),
        ({"authority": "aws.llm.example.com/"}, "authority", "the endpoint's host"),
        ({"keys": []}, "keys", ""),
        ({"keys": [{"id": 'a"b', "secret": "${GATE_KEY}"}]}, "keys[0].id", "letters"),
        ({"replay": {"backend": "redis"}}, "replay.url", "missing"),
        ({"replay": {"backend": "redis", "url": "redis://10.0.0.7:6379/0"}}, "replay.url", "rediss"),
        ({"replay": {"backend": "redis", "url": "http://127.0.0.1"}}, "replay.url", "redis://"),
        ({"replay": {"url": "redis://127.0.0.1:6379/0"}}, "replay.url", "backend: redis"),
        (
            {"replay": {"backend": "redis", "url": "redis://127.0.0.1", "tls": {"caFile": __file__}}},
            "replay.tls",
            "rediss://",
        ),
        ({"replay": {"maxEntries": 0}}, "replay.maxEntries", ""),
        ({"target": "a b"}, "target", "letters"),
        ({"mode": "simple1"}, "mode", "unknown key"),
        ({"tls": {"certFile": "no.pem", "keyFile": "no.key"}}, "tls.certFile", ""),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(tmp_path: Path, change: dict[str, Any], path: str, words: str) -> None:
    assert words in problems(tmp_path, {**EXAMPLE, **change})[path]


@pytest.mark.parametrize(
    "secret",
    [
        "your-shared-secret",
        "changeme",
        "c2hvcnQ=",
        base64.b64encode(bytes(31)).decode(),
        base64.b64encode(b"\x07" * 32).decode(),
        base64.urlsafe_b64encode(b"\xfb\xff" * 16).decode(),
        base64.b64encode(bytes(range(32))).decode().rstrip("="),
    ],
)
def test_a_secret_that_protects_nothing_is_refused_without_being_shown(tmp_path: Path, secret: str) -> None:
    found = problems(tmp_path, EXAMPLE, {**ENV, "GATE_KEY": secret})
    assert "keys[0].secret" in found
    assert secret not in str(found)


def test_two_keys_must_differ_in_id_and_in_secret(tmp_path: Path) -> None:
    one = {"id": "a.1", "secret": "${GATE_KEY}"}
    found = problems(tmp_path, {**EXAMPLE, "keys": [one, one]})
    assert "same id" in found["keys[1].id"]
    assert "same secret" in found["keys[1].secret"]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    bad = {**EXAMPLE, "listen": "x", "upstream": "http://10.0.0.1", "authority": "A"}
    assert set(problems(tmp_path, bad)) == {"listen", "upstream", "authority"}


def test_what_must_be_given_is_asked_for(tmp_path: Path) -> None:
    assert set(problems(tmp_path, {})) == {"upstream", "target", "authority", "keys"}
