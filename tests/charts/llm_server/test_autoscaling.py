"""How many pods a pool has: a number, Kubernetes' own autoscaler, or KEDA on what the router wants."""

from __future__ import annotations

from typing import Any

import helm_python as helm
import pytest

from tests.charts.helm import Object, Objects, render
from tests.charts.pools import MINIMAL, on


def scaled(mode: str, *values: dict[str, Any], **settings: Any) -> Objects:
    return render("llm-server", MINIMAL, {"autoscaling": {"mode": mode, mode: settings}}, *values)


def triggers(objects: Objects) -> dict[str, Object]:
    return {each.get("name", each["type"]): each for each in objects.one("ScaledObject")["spec"]["triggers"]}


def test_without_autoscaling_there_are_as_many_as_was_said() -> None:
    objects = render("llm-server", MINIMAL, {"replicas": 2})
    assert objects.one("Deployment")["spec"]["replicas"] == 2
    assert not {"HorizontalPodAutoscaler", "ScaledObject"} & objects.kinds()


@pytest.mark.parametrize(("mode", "kind"), [("hpa", "HorizontalPodAutoscaler"), ("keda", "ScaledObject")])
def test_one_autoscaler_owns_the_number(mode: str, kind: str) -> None:
    objects = scaled(mode)
    assert "replicas" not in objects.one("Deployment")["spec"]
    assert {"HorizontalPodAutoscaler", "ScaledObject"} & objects.kinds() == {kind}


def test_both_at_once_cannot_be_said() -> None:
    for mode in ("both", "hpa,keda", ["hpa", "keda"]):
        with pytest.raises(helm.HelmError, match="autoscaling"):
            render("llm-server", MINIMAL, {"autoscaling": {"mode": mode}})


@pytest.mark.parametrize("mode", ["hpa", "keda"])
@pytest.mark.parametrize(("cache", "kind"), [("none", "Deployment"), ("perReplica", "StatefulSet")])
def test_the_autoscaler_turns_what_is_there(mode: str, cache: str, kind: str) -> None:
    objects = scaled(mode, {"delivery": {"cache": {"mode": cache}}})
    scaler = objects.one("HorizontalPodAutoscaler" if mode == "hpa" else "ScaledObject")
    target = scaler["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == (kind, objects.one(kind)["metadata"]["name"])


def test_cpu_is_that_of_the_server_alone() -> None:
    spec = scaled("hpa", cpuUtilisation=70).one("HorizontalPodAutoscaler")["spec"]
    assert spec["metrics"] == [
        {
            "type": "ContainerResource",
            "containerResource": {
                "name": "cpu",
                "container": "llama",
                "target": {"type": "Utilization", "averageUtilization": 70},
            },
        }
    ]


def test_the_queue_is_the_pools_own() -> None:
    spec = scaled("hpa", queueDepth={"enabled": True, "target": 3}).one("HorizontalPodAutoscaler")["spec"]
    external = spec["metrics"][1]["external"]
    assert external["metric"] == {"name": "llm_cluster_queue_depth", "selector": {"matchLabels": {"pool": "aws"}}}
    assert external["target"] == {"type": "AverageValue", "averageValue": "3"}


def test_pods_come_at_once_and_go_slowly() -> None:
    behavior = scaled("hpa").one("HorizontalPodAutoscaler")["spec"]["behavior"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 300


def test_kubernetes_own_autoscaler_never_goes_to_zero() -> None:
    with pytest.raises(helm.HelmError, match="minReplicas"):
        scaled("hpa", minReplicas=0)


@pytest.mark.parametrize("mode", ["hpa", "keda"])
def test_the_least_is_not_above_the_most(mode: str) -> None:
    with pytest.raises(helm.HelmError, match="minReplicas is above maxReplicas"):
        scaled(mode, minReplicas=4, maxReplicas=3)


def test_a_pool_is_woken_by_the_routers_wish_and_by_nothing_else() -> None:
    objects = scaled("keda", queueDepth=2)
    spec, by_name = objects.one("ScaledObject")["spec"], triggers(objects)
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 3)
    wanted = by_name["wanted"]["metadata"]
    assert wanted["query"] == 'max(llm_router_pool_wanted{pool="aws"})'
    assert (wanted["threshold"], wanted["activationThreshold"]) == ("1", "0")
    assert int(by_name["queue"]["metadata"]["activationThreshold"]) >= 1_000_000


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "false"),
        ({"queueDepth": 4}, "false"),
        ({"minReplicas": 1}, "false"),
        ({"minReplicas": 1, "queueDepth": 2}, "true"),
        ({"minReplicas": 1, "cpuUtilisation": 80}, "true"),
    ],
)
def test_a_router_that_cannot_be_asked_ends_no_pod_but_those_that_load_brought(
    settings: dict[str, Any], told: str
) -> None:
    assert triggers(scaled("keda", **settings))["wanted"]["metadata"]["ignoreNullValues"] == told


def test_the_router_may_be_in_another_cluster() -> None:
    elsewhere = "https://prometheus.router.example.com"
    by_name = triggers(scaled("keda", queueDepth=2, routerPrometheusUrl=elsewhere))
    assert by_name["wanted"]["metadata"]["serverAddress"] == elsewhere
    assert by_name["queue"]["metadata"]["serverAddress"] != elsewhere


def test_what_waits_raises_the_number_where_that_is_wanted() -> None:
    assert "queue" not in triggers(scaled("keda"))
    queue = triggers(scaled("keda", queueDepth=4))["queue"]["metadata"]
    assert queue["query"] == 'max(llm_cluster_queue_depth{pool="aws"})'
    assert queue["threshold"] == "4"


def test_cpu_counts_only_where_there_always_is_a_pod() -> None:
    cpu = triggers(scaled("keda", minReplicas=1, cpuUtilisation=80))["cpu"]
    assert cpu["metadata"] == {"value": "80", "containerName": "llama"}
    with pytest.raises(helm.HelmError, match="a pool at zero has no CPU"):
        scaled("keda", cpuUtilisation=80)


@pytest.mark.parametrize(
    ("values", "there"),
    [
        ({"replicas": 1}, False),
        ({"replicas": 2}, True),
        ({"replicas": 2, "podDisruptionBudget": {"enabled": False}}, False),
        ({"autoscaling": {"mode": "hpa", "hpa": {"minReplicas": 2}}}, True),
        ({"autoscaling": {"mode": "hpa", "hpa": {"minReplicas": 1}}}, False),
        ({"autoscaling": {"mode": "keda"}}, False),
        ({"autoscaling": {"mode": "keda", "keda": {"minReplicas": 2}}}, True),
    ],
)
def test_a_budget_guards_pools_that_always_have_two_pods(values: dict[str, Any], there: bool) -> None:
    """With one it would only keep the node from being drained."""
    budgets = render("llm-server", MINIMAL, values).of("PodDisruptionBudget")
    assert len(budgets) == there
    assert all(budget["spec"]["maxUnavailable"] == 1 for budget in budgets)


def test_a_gpu_pool_scales_to_zero_on_every_cloud() -> None:
    for cloud in ("aws", "gcp", "azure"):
        objects = render("llm-server", on(cloud, "gpu"), {"autoscaling": {"mode": "keda"}})
        assert objects.one("ScaledObject")["spec"]["minReplicaCount"] == 0
        assert f'pool="{cloud}-gpu"' in triggers(objects)["wanted"]["metadata"]["query"]
