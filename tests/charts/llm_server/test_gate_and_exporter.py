"""The configuration files that the chart writes are ones that gate and exporter take."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_router.config.load import load_struct
from llm_router.exporter.check import check as check_exporter
from llm_router.exporter.config import ExporterConfig
from llm_router.gate.config import GateConfig
from llm_router.gate.config import check as check_gate
from tests.charts.helm import containers, pod_spec, render
from tests.charts.pools import BESIDE, CLOUDS, MINIMAL, PLACES, on

ENV = {
    "GATE_KEY_ID": "aws.1",
    "GATE_KEY": base64.b64encode(bytes(range(32))).decode(),
    "GATE_NEXT_KEY_ID": "aws.2",
    "GATE_NEXT_KEY": base64.b64encode(bytes(range(32, 64))).decode(),
}
BESIDE_ITS_POD = {"exporter": {"enabled": True}}
REPLAY = {"gate": {"replay": {"redis": {"secretName": "pool-redis", "private": True}}}}
TLS = {"gate": {"tls": {"enabled": True, "secretName": "aws-tls", "clientCertificates": True}}}


def files(tmp_path: Path, *values: dict[str, Any]) -> Path:
    """The folder as the pod mounts it."""
    for name, text in render("llm-server", *values).one("ConfigMap")["data"].items():
        (tmp_path / name).write_text(text)
    return tmp_path


def gate(tmp_path: Path, *values: dict[str, Any], env: Mapping[str, str] = ENV) -> GateConfig:
    config = load_struct(str(files(tmp_path, *values) / "gate.yaml"), GateConfig, env)
    check_gate(config)
    return config


@pytest.mark.parametrize(("cloud", "kind"), PLACES)
def test_the_gate_takes_its_file_on_every_pool(tmp_path: Path, cloud: str, kind: str) -> None:
    values = on(cloud, kind)
    config = gate(tmp_path, values)
    assert (config.target, config.authority) == (values["pool"]["name"], values["host"])
    assert [key.id for key in config.keys] == ["aws.1", "aws.2"]


def test_prometheus_shows_the_token_that_the_gate_asks_for(tmp_path: Path) -> None:
    token = {"monitoring": {"token": {"secretName": "llm-metrics"}, "podMonitor": {"enabled": True}}}
    objects = render("llm-server", MINIMAL, token)
    (endpoint,) = objects.one("PodMonitor")["spec"]["podMetricsEndpoints"]
    wanted = {"name": "llm-metrics", "key": "token"}
    assert endpoint["authorization"] == {"type": "Bearer", "credentials": wanted}
    (spec,) = [each for each in objects.pod_specs() if "gate" in containers(each)]
    (variable,) = [each for each in containers(spec)["gate"]["env"] if each["name"] == "METRICS_TOKEN"]
    assert variable["valueFrom"]["secretKeyRef"] == wanted
    assert gate(tmp_path, MINIMAL, token, env=ENV | {"METRICS_TOKEN": "the-token"}).metrics_token == "the-token"
    assert gate(tmp_path, MINIMAL).metrics_token is None


@pytest.mark.parametrize("cloud", CLOUDS)
def test_answers_have_all_the_time_to_finish_that_the_cloud_leaves(tmp_path: Path, cloud: str) -> None:
    """What stays is for the endpoints to be told before, and for the server to end after."""
    values = on(cloud, "gpu")
    assert gate(tmp_path, values).drain_timeout == values["terminationGracePeriodSeconds"] - 5 - 3


def test_the_gate_forwards_to_where_the_server_listens(tmp_path: Path) -> None:
    config = gate(tmp_path, MINIMAL)
    assert config.upstream == "http://127.0.0.1:8081"
    assert config.max_body == 5 * 2**20


def test_gates_of_a_pool_remember_together_where_a_secret_says_in_which_redis(tmp_path: Path) -> None:
    assert gate(tmp_path, MINIMAL).replay.backend == "memory"
    objects = render("llm-server", MINIMAL, REPLAY)
    spec = pod_spec(objects.one("Deployment"))
    assert spec is not None
    (variable,) = [each for each in containers(spec)["gate"]["env"] if each["name"] == "GATE_REPLAY_URL"]
    assert variable["valueFrom"]["secretKeyRef"] == {"name": "pool-redis", "key": "url"}
    replay = gate(tmp_path, MINIMAL, REPLAY, env=ENV | {"GATE_REPLAY_URL": "redis://redis.llm.svc:6379/0"}).replay
    assert (replay.backend, str(replay.url)) == ("redis", "redis://redis.llm.svc:6379/0")
    assert {"ports": [{"port": 6379}]} in objects.one("NetworkPolicy")["spec"]["egress"]


def test_ports_are_those_of_the_container(tmp_path: Path) -> None:
    config = gate(tmp_path, MINIMAL)
    spec = pod_spec(render("llm-server", MINIMAL).one("Deployment"))
    assert spec is not None
    ports = {port["name"]: port["containerPort"] for port in containers(spec)["gate"]["ports"]}
    assert config.listen == f"0.0.0.0:{ports['gate']}"
    assert config.metrics == f"0.0.0.0:{ports['gate-metrics']}"


@pytest.mark.parametrize(("cloud", "kind"), PLACES)
def test_the_exporter_takes_its_file_on_every_pool(tmp_path: Path, cloud: str, kind: str) -> None:
    values = on(cloud, kind)
    config = load_struct(str(files(tmp_path, values, BESIDE_ITS_POD) / "exporter.yaml"), ExporterConfig, {})
    check_exporter(config)
    assert config.pool == values["pool"]["name"]


def test_the_gate_asks_the_exporter_where_that_listens(tmp_path: Path) -> None:
    config = gate(tmp_path, MINIMAL, BESIDE)
    exporter = load_struct(str(tmp_path / "exporter.yaml"), ExporterConfig, {})
    assert config.status_url == f"http://{exporter.listen}/cluster/status"
    assert [upstream.url for upstream in exporter.upstreams] == [config.upstream]


def test_without_an_exporter_the_gate_measures_by_itself(tmp_path: Path) -> None:
    assert gate(tmp_path, MINIMAL).status_url is None
    assert not (tmp_path / "exporter.yaml").exists()
    spec = pod_spec(render("llm-server", MINIMAL).one("Deployment"))
    assert spec is not None
    assert "exporter" not in containers(spec)


def test_certificates_are_read_from_where_the_secret_is_mounted() -> None:
    objects = render("llm-server", MINIMAL, TLS)
    tls = yaml.safe_load(objects.one("ConfigMap")["data"]["gate.yaml"])["tls"]
    spec = pod_spec(objects.one("Deployment"))
    assert spec is not None
    mounts = {each["name"]: each["mountPath"] for each in containers(spec)["gate"]["volumeMounts"]}
    assert tls == {
        "certFile": f"{mounts['tls']}/tls.crt",
        "keyFile": f"{mounts['tls']}/tls.key",
        "clientCaFile": f"{mounts['tls']}/ca.crt",
    }
    assert {"name": "tls", "secret": {"secretName": "aws-tls"}} in spec["volumes"]


def test_client_certificates_are_asked_for_only_where_that_is_wanted() -> None:
    values = {"gate": {"tls": {"enabled": True, "secretName": "aws-tls"}}}
    config = yaml.safe_load(render("llm-server", MINIMAL, values).one("ConfigMap")["data"]["gate.yaml"])
    assert "clientCaFile" not in config["tls"]


def test_no_key_is_in_any_configuration() -> None:
    text = yaml.safe_dump(render("llm-server", MINIMAL).one("ConfigMap"))
    assert "${GATE_KEY}" in text
    assert all(value not in text for value in ENV.values() if len(value) > 20)
