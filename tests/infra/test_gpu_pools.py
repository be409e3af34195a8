"""The spot T4 pool of each cloud: nothing until it is wanted, for GPU pods only, and found by them."""

from __future__ import annotations

import pytest

from llm_infra.clouds import CLOUDS, Cloud
from llm_infra.contract import CONTRACTS, chart_values
from tests.infra import programs
from tests.infra.nodes import aks, nodes, schedules


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_gpu_pool_is_of_spot_nodes_and_empty(cloud: Cloud, stack: str) -> None:
    pool = nodes(cloud, "gpu", stack)
    assert pool["spot"]
    assert (pool["min"], pool["start"], pool["max"]) == (0, 0, 2)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_pod_lands_on_its_pool_and_only_there(cloud: Cloud) -> None:
    pools = {kind: nodes(cloud, kind) for kind in ("cpu", "gpu")}
    for kind in ("cpu", "gpu"):
        pod = chart_values(cloud, kind)
        assert {name for name, pool in pools.items() if schedules(pod, pool)} == {kind}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_pod_of_somebody_else_stays_away_from_the_gpus(cloud: Cloud) -> None:
    assert not schedules({"nodeSelector": {}, "tolerations": []}, nodes(cloud, "gpu"))
    assert schedules({"nodeSelector": {}, "tolerations": []}, nodes(cloud, "cpu"))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_pool_is_what_the_contract_says(cloud: Cloud) -> None:
    pool, said = nodes(cloud, "gpu"), CONTRACTS[cloud].gpu
    assert pool["labels"] == {**said.labels, **said.cloud_labels}
    assert pool["taints"] == {(t.key, t.value, t.effect) for t in said.taints}


def test_a_cpu_pool_of_spot_nodes_is_tolerated_by_the_pods_that_know_of_it() -> None:
    recorded = programs.run("azure", "dev", {"llm-azure:cpuSpot": True})
    pool = aks(recorded, "cpu")
    assert pool["spot"]
    assert schedules(chart_values("azure", "cpu", spot=True), pool)
    assert not schedules(chart_values("azure", "cpu"), pool)


def test_the_autoscaler_knows_an_empty_eks_group_by_its_tags() -> None:
    recorded = programs.as_shipped("aws", "dev")
    group = recorded.one("eks/nodeGroup:NodeGroup", "gpu").inputs
    tags = {
        t.inputs["tag"]["key"]: t.inputs["tag"]["value"]
        for t in recorded.of("autoscaling/tag:Tag")
        if t.name.startswith("llm-dev-gpu")
    }
    template = "k8s.io/cluster-autoscaler/node-template"
    assert tags["k8s.io/cluster-autoscaler/enabled"] == "true"
    assert tags["k8s.io/cluster-autoscaler/llm-dev"] == "owned"
    assert tags[f"{template}/resources/nvidia.com/gpu"] == "1"
    assert tags[f"{template}/taint/nvidia.com/gpu"] == "present:NoSchedule"
    for key, value in group["labels"].items():
        assert tags[f"{template}/label/{key}"] == value


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_autoscalers_number_of_nodes_is_not_undone(cloud: Cloud) -> None:
    recorded = programs.as_shipped(cloud, "dev")
    kind, ignored = {
        "aws": ("eks/nodeGroup:NodeGroup", "scalingConfig.desiredSize"),
        "gcp": ("container/nodePool:NodePool", "initialNodeCount"),
        "azure": (":AgentPool", "count"),
    }[cloud]
    for pool in recorded.of(kind):
        assert ignored in pool.options["ignore_changes"]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_without_gpu_there_is_no_pool_no_host_no_key_of_it(cloud: Cloud) -> None:
    recorded = programs.run(cloud, "dev", {f"llm-{cloud}:gpu": False})
    of_it = {resource.type for resource in recorded.resources if "gpu" in resource.name}
    # Azure's vault has keys for both pools at any time: nobody who deploys may delete what is in there.
    kept = {"llm-platform:index:GateKeys", "random:index/randomBytes:RandomBytes", "azure-native:keyvault:Secret"}
    assert of_it == (kept if cloud == "azure" else set())
    assert set(recorded.stack_outputs["hosts"]) == {"cpu"}
    assert set(recorded.stack_outputs["gateKeys"]) == {f"{cloud}-gate-key"}
    assert len(recorded.stack_outputs["routerFragment"]["clusters"]) == 1
