"""A stack's whole life on the real engine, told once for each cloud."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_infra.clouds import CLOUDS
from tests.infra.emulation.check import UNKNOWN
from tests.infra.emulation.values import at
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
TAINTS = {"aws": "taints", "gcp": "nodeConfig.taints", "azure": "nodeTaints"}
#: The first thing that is there, and so the last one that goes.
GROUND = {"aws": "Vpc/llm-dev-network", "gcp": "Network/llm-dev-network", "azure": "ResourceGroup/llm-dev"}


#: Other machines with a T4, and what comes first where a pool's name allows the new one beside the old one.
LARGER = {
    "aws": ("g4dn.2xlarge", ["create", "delete"]),
    "gcp": ("n1-standard-8", ["create", "delete"]),
    "azure": ("Standard_NC8as_T4_v3", ["delete", "create"]),
}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_stack_comes_stays_changes_and_leaves_nothing(place: Workspace, cloud: str) -> None:
    place.init(cloud)
    previewed_from_nothing(place, cloud)
    made(place, cloud)
    place.up(cloud, "--expect-no-changes").fine()
    state = place.state(cloud)
    keys_are_kept_secret(place, cloud, json.dumps(state))
    only_the_change_is_planned(place, cloud)
    taints = at(place.cloud.one(POOLS[cloud], "gpu").inputs, TAINTS[cloud])
    drift_is_found(place, cloud, state)
    changed_and_drift_undone(place, cloud, taints)
    upgraded_with_other_machines(place, cloud)
    gone_in_two_goes(place, cloud)


def previewed_from_nothing(place: Workspace, cloud: str) -> None:
    """Although nothing that the cluster will tell is known yet."""
    steps = place.preview(cloud)
    assert {step.op for step in steps} == {"create"}
    assert len(steps) > 50
    (cluster,) = [step for step in steps if step.type == "pulumi:providers:kubernetes"]
    assert cluster.inputs["kubeconfig"] == UNKNOWN
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


def keys_are_kept_secret(place: Workspace, cloud: str, state: str) -> None:
    keys = [thing.state[form] for thing in place.cloud.of(":RandomBytes") for form in ("base64", "hex")]
    assert set(place.outputs(cloud)["gateKeys"].values()) < set(keys)
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


def drift_is_found(place: Workspace, cloud: str, before: dict[str, Any]) -> None:
    """Somebody takes the taint away by hand, so that any pod may fill the GPU nodes."""
    pool = place.cloud.one(POOLS[cloud], "gpu")
    *holders, key = TAINTS[cloud].split(".")
    for side in (pool.inputs, pool.state):
        for holder in holders:
            side = side[holder]
        side[key] = []
    told = place.pulumi(cloud, "refresh", "--yes", "--skip-preview", "--suppress-progress").fine().output
    assert "~ 1 updated" in told
    assert differences(before, place.state(cloud)) == {
        (pool.urn, side, TAINTS[cloud]) for side in ("inputs", "outputs")
    }, "that pool and that property, and nothing else"


def differences(before: dict[str, Any], after: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Resource, side and path of all that is not in both states alike."""

    def leaves(state: dict[str, Any]) -> set[tuple[str, str, str, str]]:
        return {
            (resource["urn"], side, path, json.dumps(value))
            for resource in state["deployment"]["resources"]
            for side in ("inputs", "outputs")
            for path, value in properties(resource.get(side) or {})
        }

    return {leaf[:3] for leaf in leaves(before) ^ leaves(after)}


def properties(values: dict[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Paths through objects; lists are whole, and what is encrypted is so anew each time."""
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        if key == "ciphertext":
            continue
        found += properties(value, f"{above}{key}.") if isinstance(value, dict) else [(above + key, value)]
    return found


def changed_and_drift_undone(place: Workspace, cloud: str, taints: Any) -> None:
    place.up(cloud).fine()
    pool = place.cloud.one(POOLS[cloud], "gpu")
    assert taints
    assert at(pool.inputs, TAINTS[cloud]) == taints
    assert "5" in json.dumps(pool.inputs)


def upgraded_with_other_machines(place: Workspace, cloud: str) -> None:
    """A new minor version goes to the nodes that are there; other machines are other nodes."""
    machine, order = LARGER[cloud]
    place.config(cloud, "kubernetesVersion", "1.36")
    place.config(cloud, "gpuMachineTypes[0]", machine, "--path")
    before = len(place.cloud.deeds)
    place.up(cloud).fine()
    deeds = place.cloud.deeds[before:]
    assert [deed for deed, token, name in deeds if (token, name) == (POOLS[cloud], "llm-dev-gpu")] == order
    # Those of Google Cloud follow by themselves, as their release channel has it.
    assert {token for deed, token, _ in deeds if deed == "update"} >= {CLUSTERS[cloud]} | (
        set() if cloud == "gcp" else {POOLS[cloud]}
    )
    replaced = {token for deed, token, _ in deeds if deed == "delete"} - {"aws:autoscaling/tag:Tag"}
    assert replaced == {POOLS[cloud]}
    assert machine in json.dumps(place.cloud.one(POOLS[cloud], "gpu").inputs)


def gone_in_two_goes(place: Workspace, cloud: str) -> None:
    """The first one stops half way; the next one finishes it."""
    place.cloud.deeds.clear()
    busy = "the cluster has an operation under way"
    place.cloud.fail_once("delete", CLUSTERS[cloud], "", busy)
    destroy = ("destroy", "--yes", "--skip-preview", "--suppress-progress")
    assert busy in place.pulumi(cloud, *destroy).refused().output
    assert place.cloud.of(GROUND[cloud].split("/")[0])
    place.pulumi(cloud, *destroy).fine()
    assert place.cloud.things == {}
    order = place.cloud.order("delete")
    cluster = next(i for i, done in enumerate(order) if done.startswith(CLUSTERS[cloud].rsplit(":", 1)[1] + "/"))
    assert order[0] == "Application/llm-dev-services-root", "load balancers and volumes go while Argo CD still runs"
    assert order.index(GROUND[cloud]) > cluster
    assert place.state(cloud)["deployment"].get("resources", []) == []
