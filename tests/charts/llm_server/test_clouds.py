"""The values of each cloud's pools are those that the node pools are made by."""

from __future__ import annotations

from typing import Literal

import pytest
import yaml

from llm_infra.clouds import Cloud
from llm_infra.contract import CONTRACTS, GATE_SECRET_ENTRIES, chart_values, gate_secret
from llm_router.catalog.files import known, read_catalog
from tests.charts.helm import ROOT, containers, pod_spec, render, values_file
from tests.charts.pools import CLOUDS, PLACES, on

CATALOG = ROOT / "models" / "catalog.yaml"


@pytest.mark.parametrize(("cloud", "kind"), PLACES)
def test_pods_ask_for_their_own_kind_of_pool(cloud: str, kind: str) -> None:
    spec = pod_spec(render("llm-server", on(cloud, kind)).one("Deployment"))
    assert spec is not None
    assert spec["nodeSelector"] == {"llm-platform/pool": kind}


@pytest.mark.parametrize(("cloud", "kind"), PLACES)
def test_a_clouds_file_is_what_its_node_pools_are_made_by(cloud: Cloud, kind: Literal["cpu", "gpu"]) -> None:
    agreed = chart_values(cloud, kind)
    del agreed["gatewayClass"]  # the platform chart's
    assert values_file("llm-server", "clouds", f"{cloud}-{kind}.yaml") == agreed


@pytest.mark.parametrize("cloud", CLOUDS)
def test_pods_tolerate_the_taints_of_their_pool_and_no_others(cloud: Cloud) -> None:
    spec = pod_spec(render("llm-server", on(cloud, "gpu")).one("Deployment"))
    assert spec is not None
    taints = {(taint.key, taint.value, taint.effect) for taint in CONTRACTS[cloud].gpu.taints}
    assert {(each["key"], each["value"], each["effect"]) for each in spec["tolerations"]} == taints


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_gpu_pool_asks_for_one_gpu(cloud: str) -> None:
    spec = pod_spec(render("llm-server", on(cloud, "gpu")).one("Deployment"))
    assert spec is not None
    assert containers(spec)["llama"]["resources"]["limits"]["nvidia.com/gpu"] == 1


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_secret_of_the_gates_keys_is_the_one_that_the_stacks_make(cloud: Cloud) -> None:
    spec = pod_spec(render("llm-server", on(cloud, "gpu")).one("Deployment"))
    assert spec is not None
    refs = [each["valueFrom"]["secretKeyRef"] for each in containers(spec)["gate"]["env"]]
    assert {ref["name"] for ref in refs} == {gate_secret(f"{cloud}-gpu")}
    assert {ref["key"] for ref in refs} == set(GATE_SECRET_ENTRIES)


@pytest.mark.parametrize(("cloud", "kind"), PLACES)
def test_the_stacks_serve_models_of_the_catalog_by_default(cloud: str, kind: Literal["cpu", "gpu"]) -> None:
    """With the slots and the context that the catalog suggests for that pool, or less."""
    settings = yaml.safe_load((ROOT / "infra" / cloud / "Pulumi.yaml").read_text())["config"]
    model = known(read_catalog(CATALOG), settings[f"{kind}Model"]["default"], CATALOG)
    hint = model.hint(kind)
    assert hint is not None
    assert settings[f"{kind}ContextLength"]["default"] <= hint.context_per_slot
    assert settings[f"{kind}Slots"]["default"] <= hint.slots
