"""A stack's whole life on the real engine, told once for each cloud."""

from __future__ import annotations

import json

import pytest

from llm_infra.clouds import CLOUDS
from tests.infra.engine.workspace import Workspace

pytestmark = [pytest.mark.built, pytest.mark.timeout(300)]

POOLS = {
    "aws": "aws:eks/nodeGroup:NodeGroup",
    "gcp": "gcp:container/nodePool:NodePool",
    "azure": "azure-native:containerservice:AgentPool",
}
CLUSTERS = {
    "aws": "aws:eks/cluster:Cluster",
    "gcp": "gcp:container/cluster:Cluster",
    "azure": "azure-native:containerservice:ManagedCluster",
}
#: The first thing that is there, and so the last one that goes.
GROUND = {"aws": "Vpc/llm-dev-network", "gcp": "Network/llm-dev-network", "azure": "ResourceGroup/llm-dev"}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_stack_comes_stays_changes_and_leaves_nothing(place: Workspace, cloud: str) -> None:
    place.init(cloud)
    previewed_from_nothing(place, cloud)
    made(place, cloud)
    place.up(cloud, "--expect-no-changes").fine()
    keys_are_kept_secret(place, cloud)
    only_the_change_is_planned(place, cloud)
    drift_is_found(place, cloud)
    changed_and_drift_undone(place, cloud)
    gone(place, cloud)


def previewed_from_nothing(place: Workspace, cloud: str) -> None:
    """Although nothing that the cluster will tell is known yet."""
    steps = place.preview(cloud)
    assert {step.op for step in steps} == {"create"}
    assert len(steps) > 50
    assert place.cloud.things == {}


def made(place: Workspace, cloud: str) -> None:
    told = place.up(cloud, "--policy-pack", "../policy").fine().output
    assert "llm-platform" in told, "the pack of policies was asked"
    assert "[mandatory]" not in told
    assert len(place.cloud.of(POOLS[cloud])) == 2
    assert len(place.cloud.of(CLUSTERS[cloud])) == 1
    order = place.cloud.order("create")
    kind = POOLS[cloud].rsplit(":", 1)[1]
    assert order.index(f"{kind}/llm-dev-cpu") < order.index(f"{kind}/llm-dev-gpu")
    assert order.index(f"{kind}/llm-dev-cpu") < order.index("Release/llm-dev-services-argocd")
    assert order[-1] == "Application/llm-dev-services-root", "Argo CD takes over when all is there"
    fragment = place.outputs(cloud)["routerFragment"]
    assert [cluster["name"] for cluster in fragment["clusters"]] == [cloud, f"{cloud}-gpu"]


def keys_are_kept_secret(place: Workspace, cloud: str) -> None:
    keys = place.outputs(cloud)["gateKeys"].values()
    state = json.dumps(place.state(cloud))
    shown = place.pulumi(cloud, "stack", "output", "--json").fine().output
    for key in keys:
        assert key not in state
        assert key not in shown
    assert "[secret]" in shown


def only_the_change_is_planned(place: Workspace, cloud: str) -> None:
    place.config(cloud, "gpuMaxNodes", "5")
    steps = place.preview(cloud)
    assert {(step.op, step.type, step.name) for step in steps if step.type != "pulumi:pulumi:Stack"} == {
        ("update", POOLS[cloud], "llm-dev-gpu"),
        # Git learns of it: as many pods as nodes.
        ("update", "kubernetes:core/v1:Secret", "llm-dev-services-cluster-secret"),
    }


def drift_is_found(place: Workspace, cloud: str) -> None:
    """Somebody takes the taint away by hand, so that any pod may fill the GPU nodes."""
    pool = place.cloud.one(POOLS[cloud], "gpu")
    for side in (pool.inputs, pool.state):
        holder = side["nodeConfig"] if cloud == "gcp" else side
        holder["nodeTaints" if cloud == "azure" else "taints"] = []
    place.pulumi(cloud, "refresh", "--yes", "--expect-no-changes", "--suppress-progress").refused()


def changed_and_drift_undone(place: Workspace, cloud: str) -> None:
    place.up(cloud).fine()
    pool = json.dumps(place.cloud.one(POOLS[cloud], "gpu").inputs)
    assert "nvidia.com/gpu" in pool
    assert "5" in pool


def gone(place: Workspace, cloud: str) -> None:
    place.cloud.deeds.clear()
    place.pulumi(cloud, "destroy", "--yes", "--skip-preview", "--suppress-progress").fine()
    assert place.cloud.things == {}
    order = place.cloud.order("delete")
    cluster = next(i for i, done in enumerate(order) if done.startswith(CLUSTERS[cloud].rsplit(":", 1)[1] + "/"))
    assert order[0] == "Application/llm-dev-services-root", "load balancers and volumes go while Argo CD still runs"
    assert order.index(GROUND[cloud]) > cluster
    assert place.state(cloud)["deployment"].get("resources", []) == []
