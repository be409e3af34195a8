"""The router's program on what the three clouds' programs put out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from llm_infra.clouds import CLOUDS
from tests.charts.helm import containers, pod_spec, render
from tests.infra import programs
from tests.infra.programs import Recorded

NAMES = {f"organization/llm-{cloud}/dev": cloud for cloud in CLOUDS}
KEYS = "keys: [{name: me, sha256: 0000000000000000000000000000000000000000000000000000000000000000}]\n"
DELIVERY: dict[str, Any] = {
    "host": "router.llm.example.com",
    "image": f"ghcr.io/example/llm-router:1@sha256:{'ab' * 32}",
    "gitRepoUrl": "https://example.com/x",
}


@pytest.fixture
def keys() -> Iterator[Path]:
    """The operator's API keys, beside the program; git ignores them."""
    path = programs.INFRA / "router" / "test-keys.yaml"
    path.write_text(KEYS)
    yield path
    path.unlink()


@lru_cache
def with_routers_zone(cloud: str) -> dict[str, Any]:
    """The outputs of a stack whose cluster is to run the router."""
    return programs.run(cloud, "dev", {f"llm-{cloud}:routerHost": DELIVERY["host"]}).stack_outputs


def run(*, without: tuple[str, ...] = (), **changes: Any) -> Recorded:
    stacks = {
        name: programs.as_shipped(cloud, "dev").stack_outputs for name, cloud in NAMES.items() if cloud not in without
    }
    if changes.get("onCloud") == "gcp" and "gcp" not in without:
        stacks["organization/llm-gcp/dev"] = with_routers_zone("gcp")
    config = {f"llm-router:{key}": value for key, value in changes.items()}
    return programs.run("router", "dev", config, stacks=stacks)


def test_three_clouds_make_one_file() -> None:
    outputs = run().stack_outputs
    config = yaml.safe_load(outputs["routerConfig"])
    names = [cluster["name"] for cluster in config["clusters"]]
    assert names == ["aws", "aws-gpu", "azure", "azure-gpu", "gcp", "gcp-gpu"]
    assert set(outputs["gateKeys"]) == {f"{name}-gate-key" for name in names}
    assert set(outputs["delegations"]) == {
        cluster["endpoint"].removeprefix("https://") for cluster in config["clusters"]
    }


def test_only_the_keys_are_secret() -> None:
    recorded = run()
    assert recorded.secret_stack_outputs == {"gateKeys"}
    assert not any(key in recorded.stack_outputs["routerConfig"] for key in recorded.stack_outputs["gateKeys"].values())


def test_a_cloud_that_is_not_there_is_a_warning() -> None:
    config = yaml.safe_load(run(without=("gcp",)).stack_outputs["routerConfig"])
    assert [cluster["name"] for cluster in config["clusters"]] == ["aws", "aws-gpu", "azure", "azure-gpu"]


def test_a_stack_that_was_destroyed_is_a_warning_too() -> None:
    recorded = programs.run("router", "dev", stacks={name: {} for name in NAMES})
    assert "clusters" in yaml.safe_load(recorded.stack_outputs["routerConfig"])


def test_on_kubernetes_the_chosen_cluster_gets_config_keys_and_application(keys: Path) -> None:
    recorded = run(deliver="kubernetes", onCloud="gcp", keysFile=keys.name, **DELIVERY)
    secrets = {s.name: s for s in recorded.of("core/v1:Secret")}
    assert set(secrets) == {"llm-router-config", "llm-router-gate-keys", "llm-router-environment"}
    config = yaml.safe_load(secrets["llm-router-config"].inputs["stringData"]["router.yaml"])
    assert config["server"]["host"] == "0.0.0.0"  # noqa: S104
    assert secrets["llm-router-config"].inputs["stringData"]["keys.yaml"] == KEYS
    assert len(secrets["llm-router-gate-keys"].inputs["stringData"]) == 6
    assert "stringData" in secrets["llm-router-gate-keys"].secrets
    (application,) = recorded.of(":Application")
    assert application.inputs["spec"]["source"]["path"] == "charts/router"
    values = application.inputs["spec"]["source"]["helm"]["valuesObject"]
    digest = f"sha256:{'ab' * 32}"
    assert values["image"] == {"repository": "ghcr.io/example/llm-router", "tag": "1", "digest": digest}
    assert config["admin"] == {"metrics": "0.0.0.0:9464", "metricsToken": "${METRICS_TOKEN}"}
    assert values["monitoring"]["token"] == {"secretName": "llm-router-metrics", "generate": True}
    (provider,) = recorded.of("pulumi:providers:kubernetes")
    assert provider.inputs["kubeconfig"] == programs.as_shipped("gcp", "dev").stack_outputs["kubeconfig"]


@pytest.fixture
def base() -> Iterator[Path]:
    """Another base file beside the program's own."""
    path = programs.INFRA / "router" / "test-base.yaml"
    yield path
    path.unlink()


def with_admin(base: Path, admin: Any) -> str:
    own = yaml.safe_load((programs.INFRA / "router" / "base.yaml").read_text())
    base.write_text(yaml.safe_dump({**own, "admin": admin}))
    return base.name


@pytest.mark.parametrize(
    ("admin", "told"),
    [
        ({"metricsToken": "file:/own"}, ["admin.metricsToken"]),
        ({"metrics": "0.0.0.0:9000"}, ["admin.metrics"]),
        ({"metrics": None, "metricsToken": "${METRICS_TOKEN}"}, ["admin.metrics", "admin.metricsToken"]),
    ],
)
def test_on_kubernetes_metrics_are_where_the_chart_has_them(
    keys: Path, base: Path, admin: dict[str, Any], told: list[str]
) -> None:
    file = with_admin(base, admin)
    with pytest.raises(pulumi.RunError) as caught:
        run(deliver="kubernetes", onCloud="gcp", keysFile=keys.name, baseFile=file, **DELIVERY)
    lines = [line for line in str(caught.value).splitlines() if "baseFile" in line]
    assert [line.split(" says ")[1].split(":")[0] for line in lines] == told
    assert all("take it away; in a cluster the chart's port and the Secret" in line for line in lines)
    outputs = run(deliver="vm", keysFile=keys.name, baseFile=file, **DELIVERY).stack_outputs
    assert yaml.safe_load(outputs["routerConfig"])["admin"] == admin, "elsewhere they are the operator's"


def test_on_kubernetes_other_keys_of_admin_stay(keys: Path, base: Path) -> None:
    def config(admin: Any) -> Any:
        chosen = {"deliver": "kubernetes", "onCloud": "gcp", "keysFile": keys.name, **DELIVERY}
        return yaml.safe_load(run(**chosen, baseFile=with_admin(base, admin)).stack_outputs["routerConfig"])["admin"]

    charts = {"metrics": "0.0.0.0:9464", "metricsToken": "${METRICS_TOKEN}"}
    assert config({"port": 9092}) == {"port": 9092, **charts}
    assert config(None) == charts
    with pytest.raises(pulumi.RunError, match="baseFile: admin is no mapping: write admin: "):
        config("9092")


def test_a_machine_gets_a_document_that_is_secret(keys: Path) -> None:
    recorded = run(deliver="vm", keysFile=keys.name, **DELIVERY)
    assert recorded.secret_stack_outputs == {"gateKeys", "cloudInit"}
    assert "server" not in yaml.safe_load(recorded.stack_outputs["routerConfig"])
    files = {file["path"]: file for file in yaml.safe_load(recorded.stack_outputs["cloudInit"])["write_files"]}
    assert files["/etc/llm-router/router.yaml"]["content"] == recorded.stack_outputs["routerConfig"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stacks": []}, "stacks: empty: name the cloud stacks"),
        ({"deliver": "docker"}, "deliver: 'docker' is none of none, kubernetes, vm"),
        ({"deliver": "vm"}, "keysFile: not there, and without API keys everybody could spend your money"),
        ({"deliver": "vm", "host": "x"}, "host: 'x': name the host"),
        ({"deliver": "vm", "image": "llm-router"}, "image: 'llm-router': name the router's image with its tag"),
        ({"deliver": "kubernetes"}, "onCloud: not set"),
        ({"deliver": "kubernetes", "image": "ghcr.io/example/llm-router:1"}, "name the image's digest behind it"),
        ({"baseFile": "nowhere.yaml"}, "baseFile: "),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        run(**changes)
    assert message in str(caught.value)


def test_a_cloud_without_a_stack_cannot_run_the_router(keys: Path) -> None:
    with pytest.raises(pulumi.RunError, match="no stack of gcp is up: name one of"):
        run(without=("gcp",), deliver="kubernetes", onCloud="gcp", keysFile=keys.name, **DELIVERY)


def test_a_cluster_without_a_zone_for_the_routers_host_cannot_run_it(keys: Path) -> None:
    message = "organization/llm-aws/dev has no DNS zone .* in infra/aws pulumi config set routerHost router.llm"
    with pytest.raises(pulumi.RunError, match=message):
        run(deliver="kubernetes", onCloud="aws", keysFile=keys.name, **DELIVERY)


def test_the_routers_chart_takes_what_the_application_says_and_a_changed_key_replaces_its_pods(keys: Path) -> None:
    def values() -> dict[str, Any]:
        recorded = run(deliver="kubernetes", onCloud="gcp", keysFile=keys.name, **DELIVERY)
        (application,) = recorded.of(":Application")
        found: dict[str, Any] = application.inputs["spec"]["source"]["helm"]["valuesObject"]
        return found

    first = values()
    spec = pod_spec(render("router", first, release="llm-router").one("Deployment"))
    assert spec is not None
    assert containers(spec)["router"]["image"] == DELIVERY["image"]
    assert spec["nodeSelector"] == {"llm-platform/pool": "cpu"}
    objects = render("router", first, release="llm-router", namespace="llm-router")
    assert objects.one("HTTPRoute")["spec"]["hostnames"] == [DELIVERY["host"]]
    assert objects.one("HTTPRoute")["spec"]["parentRefs"] == [{"name": "llm", "namespace": "platform"}]
    assert {"ServiceMonitor", "PrometheusRule"} <= objects.kinds(), "KEDA wakes pools by the router's metrics"
    keys.write_text(KEYS.replace("name: me", "name: you"))
    assert values()["configChecksum"] != first["configChecksum"]
