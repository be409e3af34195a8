"""The exporters of the pools: configured as the program takes it, allowed what it asks, found by who needs them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
from msgspec.structs import fields

from llm_infra.contract import POOL_LABEL
from llm_router.config.load import load_struct
from llm_router.exporter.check import check
from llm_router.exporter.config import ExporterConfig, LivePriceConfig, NodePriceConfig, OpenCostConfig
from tests.charts.deployed import EXPORTERS
from tests.charts.helm import Object, containers, pod_spec, render
from tests.charts.pools import CLOUDS, PLACES, exported, on

ENV = {
    "METRICS_TOKEN": "the-token-of-prometheus",
    "GATE_KEY_ID": "aws.1",
    "GATE_KEY": base64.b64encode(bytes(range(32))).decode(),
    "GATE_NEXT_KEY_ID": "aws.2",
    "GATE_NEXT_KEY": base64.b64encode(bytes(range(32, 64))).decode(),
}
LIVE: dict[str, dict[str, Any]] = {
    "aws": {"capacityType": "spot", "live": {}},
    "gcp": {"capacityType": "spot", "live": {"apiKey": "${GATE_KEY}"}},
    "azure": {"capacityType": "spot", "live": {}},
}


def both(cloud: str = "aws", **changes: Any) -> dict[str, Any]:
    return {"pools": [exported(cloud, "cpu"), exported(cloud, "gpu") | changes]}


def rendered(*values: dict[str, Any]) -> Any:
    return render("exporters", EXPORTERS, *(values or (both(),)), release="exporter")


def configuration(folder: Path, config_map: Object) -> ExporterConfig:
    file = folder / "exporter.yaml"
    file.write_text(config_map["data"]["exporter.yaml"])
    config = load_struct(str(file), ExporterConfig, ENV)
    check(config)
    return config


def test_each_pool_has_one_exporter_of_its_own() -> None:
    objects = rendered()
    names = {each["metadata"]["name"] for each in objects.of("Deployment")}
    assert names == {"exporter-aws", "exporter-aws-gpu"}
    for deployment in objects.of("Deployment"):
        assert deployment["spec"]["replicas"] == 1
        assert deployment["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize(
    "price",
    [
        {},
        {"usdPerHr": 0.1},
        {"usdPerHour": -1},
        {"cloud": "aws", "instanceType": "m6i.large"},
        {"cloud": "aws", "instanceType": "m6i.large", "region": "us-west-2", "live": {"refresh": "often"}},
    ],
)
def test_a_price_that_the_program_would_not_take_is_refused(price: dict[str, Any]) -> None:
    with pytest.raises(helm.HelmValuesError, match="price"):
        rendered({"pools": [exported("aws", "cpu") | {"price": price}]})


def test_what_a_price_may_be_told_by_is_what_the_program_knows() -> None:
    known = {each.encode_name for each in fields(NodePriceConfig)}
    for chart in ("exporters", "llm-server"):
        schema = helm.Chart.load(f"charts/{chart}").schema
        assert schema is not None
        price = schema["definitions"]["price"]["properties"]
        assert set(price) == known
        assert set(price["live"]["properties"]) == {each.encode_name for each in fields(LivePriceConfig)}
        assert set(price["openCost"]["properties"]) == {each.encode_name for each in fields(OpenCostConfig)}


def test_a_price_may_need_a_variable_that_a_secret_has() -> None:
    def environment(*values: dict[str, Any]) -> Any:
        spec = pod_spec(rendered(both(), *values).of("Deployment")[0])
        assert spec is not None
        return containers(spec)["exporter"].get("envFrom")

    assert environment() is None
    assert environment({"environmentSecret": "prices"}) == [{"secretRef": {"name": "prices"}}]


def test_pools_of_one_name_are_refused() -> None:
    pools = [exported("aws", "cpu") | {"name": name} for name in ("aws.cpu", "aws-cpu")]
    with pytest.raises(helm.HelmError, match=r"aws\.cpu and aws-cpu would both be called exporter-aws-cpu"):
        rendered({"pools": pools})


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_program_takes_the_file_with_live_prices_too(tmp_path: Path, cloud: str) -> None:
    live = exported(cloud, "gpu")["price"] | LIVE[cloud]
    for config_map in rendered(both(cloud, price=live)).of("ConfigMap"):
        config = configuration(tmp_path, config_map)
        assert config.pool in (cloud, f"{cloud}-gpu")
        assert config.kubernetes is not None
        assert config.kubernetes.gate is not None


@pytest.mark.parametrize(("cloud", "kind"), PLACES)
def test_it_asks_the_gates_that_the_pools_chart_makes(tmp_path: Path, cloud: str, kind: str) -> None:
    pool = on(cloud, kind)
    server = render("llm-server", pool, release=kind)
    objects = rendered({"pools": [exported(cloud, kind)]})
    config = configuration(tmp_path, objects.one("ConfigMap"))
    assert config.kubernetes is not None
    assert config.kubernetes.gate is not None
    service = server.one("Service")
    assert config.kubernetes.service == service["metadata"]["name"]
    assert config.kubernetes.port in [port["name"] for port in service["spec"]["ports"]]
    assert config.kubernetes.gate.authority == pool["host"]
    assert config.pool == pool["pool"]["name"]
    labels = objects.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    allowed = [
        each["podSelector"]["matchLabels"]
        for rule in server.one("NetworkPolicy")["spec"]["ingress"]
        for each in rule["from"]
        if "podSelector" in each
    ]
    assert any(selector.items() <= labels.items() for selector in allowed)


def test_nodes_are_counted_by_the_label_that_the_pools_are_made_with(tmp_path: Path) -> None:
    for config_map, kind in zip(rendered().of("ConfigMap"), ("cpu", "gpu"), strict=True):
        kubernetes = configuration(tmp_path, config_map).kubernetes
        assert kubernetes is not None
        assert kubernetes.node_selector == f"{POOL_LABEL}={kind}"


def test_the_account_may_do_what_the_program_asks_and_no_more() -> None:
    objects = rendered()
    account = objects.one("ServiceAccount")["metadata"]["name"]
    role, cluster_role = objects.one("Role"), objects.one("ClusterRole")
    assert role["rules"] == [{"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]}]
    assert cluster_role["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]
    for binding, bound in (("RoleBinding", role), ("ClusterRoleBinding", cluster_role)):
        found = objects.one(binding)
        assert found["roleRef"]["name"] == bound["metadata"]["name"]
        assert [(each["name"], each["namespace"]) for each in found["subjects"]] == [(account, "llm")]


def test_somebody_else_may_bind_the_cluster_role() -> None:
    kinds = rendered(both(), {"rbac": {"clusterRole": False}}).kinds()
    assert not {"ClusterRole", "ClusterRoleBinding"} & kinds


def test_the_account_is_called_what_eks_knows_it_by() -> None:
    assert rendered().one("ServiceAccount")["metadata"]["name"] == "exporter"


def test_ports_are_those_of_the_file(tmp_path: Path) -> None:
    objects = rendered({"pools": [exported("aws", "cpu")]})
    config = configuration(tmp_path, objects.one("ConfigMap"))
    spec = pod_spec(objects.one("Deployment"))
    assert spec is not None
    assert config.status is not None
    ports = {port["name"]: port["containerPort"] for port in containers(spec)["exporter"]["ports"]}
    assert config.status.listen == f"0.0.0.0:{ports['status']}"
    assert config.metrics == f"0.0.0.0:{ports['metrics']}"


def test_prometheus_finds_every_exporter_once_and_takes_its_word_for_the_pool() -> None:
    objects = rendered()
    monitor = objects.one("ServiceMonitor")["spec"]
    services = objects.of("Service")
    assert len(services) == 2
    for service in services:
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert monitor["endpoints"][0]["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert monitor["endpoints"][0]["honorLabels"] is True


def test_prometheus_shows_the_token_that_every_exporter_asks_for(tmp_path: Path) -> None:
    objects = rendered(both(), {"monitoring": {"token": {"secretName": "llm-metrics", "key": "bearer"}}})
    (endpoint,) = objects.one("ServiceMonitor")["spec"]["endpoints"]
    wanted = {"name": "llm-metrics", "key": "bearer"}
    assert endpoint["authorization"] == {"type": "Bearer", "credentials": wanted}
    for spec, config_map in zip(objects.pod_specs(), objects.of("ConfigMap"), strict=True):
        (variable,) = [each for each in containers(spec)["exporter"]["env"] if each["name"] == "METRICS_TOKEN"]
        assert variable["valueFrom"]["secretKeyRef"] == wanted
        assert configuration(tmp_path, config_map).metrics_token == ENV["METRICS_TOKEN"]


def test_without_a_token_nobody_is_asked(tmp_path: Path) -> None:
    objects = rendered(both(), {"monitoring": {"token": {"secretName": "", "generate": False}}})
    assert "authorization" not in objects.one("ServiceMonitor")["spec"]["endpoints"][0]
    assert all(configuration(tmp_path, each).metrics_token is None for each in objects.of("ConfigMap"))


def test_external_secrets_can_make_the_token_for_a_whole_namespace() -> None:
    token = {"secretName": "llm-metrics", "key": "bearer", "generate": True}
    objects = rendered(both(), {"monitoring": {"token": token}})
    assert objects.one("Password")["spec"]["secretKeys"] == ["bearer"]
    assert objects.one("ExternalSecret")["spec"]["target"]["name"] == "llm-metrics"
    with pytest.raises(helm.HelmError, match="secretName"):
        rendered(both(), {"monitoring": {"token": {"secretName": "", "generate": True}}})


def test_each_service_leads_to_its_own_exporter() -> None:
    objects = rendered()
    pods = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"] for each in objects.of("Deployment")
    }
    for service in objects.of("Service"):
        selected = [name for name, labels in pods.items() if service["spec"]["selector"].items() <= labels.items()]
        assert selected == [service["metadata"]["name"]]


def test_a_changed_price_starts_that_exporter_anew_and_no_other() -> None:
    def sums(*values: dict[str, Any]) -> list[str]:
        found = rendered(*values).of("Deployment")
        return [each["spec"]["template"]["metadata"]["annotations"]["checksum/config"] for each in found]

    before, after = sums(both()), sums(both(price={"usdPerHour": 0.3}))
    assert before[0] == after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"pools": []}, "pools"),
        ({"pools": [exported("aws", "cpu") | {"price": {}}]}, "price"),
        ({"pools": [exported("aws", "cpu") | {"replicas": 2}]}, "replicas"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"rbac": {"clusterRol": False}}, "clusterRol"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(helm.HelmValuesError, match=told):
        rendered(both(), change)
