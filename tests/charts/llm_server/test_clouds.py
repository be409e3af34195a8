"""The values of each cloud's pools are those that the node pools are made by."""

from __future__ import annotations

import pytest

from tests.charts.helm import containers, pod_spec, render, values_file
from tests.charts.pools import CLOUDS, PLACES, on

SPOT_TAINTS = {"azure": {("kubernetes.azure.com/scalesetpriority", "spot")}}


@pytest.mark.parametrize(("cloud", "kind"), PLACES)
def test_pods_ask_for_their_own_kind_of_pool(cloud: str, kind: str) -> None:
    spec = pod_spec(render("llm-server", on(cloud, kind)).one("Deployment"))
    assert spec is not None
    assert spec["nodeSelector"] == {"llm-platform/pool": kind}


@pytest.mark.parametrize(("cloud", "kind"), PLACES)
def test_pods_tolerate_the_taints_of_their_pool_and_no_others(cloud: str, kind: str) -> None:
    spec = pod_spec(render("llm-server", on(cloud, kind)).one("Deployment"))
    assert spec is not None
    tolerated = {(each["key"], each.get("value")) for each in spec.get("tolerations", [])}
    gpu = {("nvidia.com/gpu", "present")} | SPOT_TAINTS.get(cloud, set())
    assert tolerated == (gpu if kind == "gpu" else set())


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_gpu_pool_asks_for_one_gpu(cloud: str) -> None:
    spec = pod_spec(render("llm-server", on(cloud, "gpu")).one("Deployment"))
    assert spec is not None
    assert containers(spec)["llama"]["resources"]["limits"]["nvidia.com/gpu"] == 1


@pytest.mark.parametrize(("cloud", "kind"), PLACES)
def test_a_clouds_file_says_nothing_of_one_pool_alone(cloud: str, kind: str) -> None:
    assert set(values_file("llm-server", "clouds", f"{cloud}-{kind}.yaml")) == {
        "nodeSelector",
        "tolerations",
        "resources",
        "storageClass",
        "terminationGracePeriodSeconds",
        "podLabels",
    }
