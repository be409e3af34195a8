"""The stand-ins refuse what clouds refuse: otherwise nothing that passes them would mean anything."""

from __future__ import annotations

from typing import Any

import pytest

from llm_infra.clouds import Cloud
from llm_infra.tables import kubernetes_versions, machines
from tests.infra.emulation import check, outputs, sdk, values

GROUP: dict[str, Any] = {
    "clusterName": "c",
    "nodeRoleArn": "arn:aws:iam::1:role/r",
    "subnetIds": ["subnet-1"],
    "scalingConfig": {"minSize": 0, "maxSize": 1, "desiredSize": 0},
    "capacityType": "SPOT",
    "instanceTypes": ["g4dn.xlarge"],
    "taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}],
}
EKS_GROUP = "aws:eks/nodeGroup:NodeGroup"


def problems(token: str, inputs: dict[str, Any]) -> list[str]:
    return check.problems(sdk.package(token.split(":")[0]), token, inputs)


def test_what_is_right_passes() -> None:
    assert problems(EKS_GROUP, GROUP) == []
    assert problems(EKS_GROUP, {**GROUP, "nodeRoleArn": check.UNKNOWN, "subnetIds": check.UNKNOWN}) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"capacityTyp": "SPOT"}, "capacityTyp: unknown property, did you mean capacityType?"),
        ({"scalingConfig": {"minSize": 0, "maxSize": 1}}, "scalingConfig.desiredSize: missing required property"),
        ({"scalingConfig": {"minSize": 0.5, "maxSize": 1, "desiredSize": 0}}, "scalingConfig.minSize: expected int"),
        ({"instanceTypes": "g4dn.xlarge"}, "instanceTypes: expected a list"),
        ({"labels": {"a": ["b"]}}, "labels.a: expected str"),
        ({"capacityType": "SPOTTY"}, "capacityType: expected one of CAPACITY_BLOCK, ON_DEMAND, SPOT"),
        ({"instanceTypes": ["g4dn.huge"]}, "instanceTypes[]: expected one of"),
        (
            {"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]},
            "taints[].effect: expected one of NO_EXECUTE, NO_SCHEDULE, PREFER_NO_SCHEDULE, got 'NoSchedule'",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_path(changes: dict[str, Any], message: str) -> None:
    (problem,) = problems(EKS_GROUP, {**GROUP, **changes})
    assert problem.startswith(message)


GKE_POOL = "gcp:container/nodePool:NodePool"
AKS_POOL = "azure-native:containerservice:AgentPool"
AKS: dict[str, Any] = {"resourceGroupName": "g", "resourceName": "c"}


@pytest.mark.parametrize(
    ("token", "inputs", "message"),
    [
        (GKE_POOL, {"cluster": "c", "nodeConfg": {}}, "nodeConfg: unknown property, did you mean nodeConfig?"),
        (GKE_POOL, {"nodeCount": 1}, "cluster: missing required property"),
        (GKE_POOL, {"cluster": "c", "nodeCount": "some"}, "nodeCount: expected int"),
        (
            GKE_POOL,
            {"cluster": "c", "nodeConfig": {"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}},
            "nodeConfig.taints[].effect: expected one of NO_EXECUTE, NO_SCHEDULE, PREFER_NO_SCHEDULE",
        ),
        (AKS_POOL, {**AKS, "vmSise": "x"}, "vmSise: unknown property, did you mean vmSize?"),
        (AKS_POOL, {"resourceGroupName": "g"}, "resourceName: missing required property"),
        (AKS_POOL, {**AKS, "minCount": 0.5}, "minCount: expected int"),
        (AKS_POOL, {**AKS, "scaleSetPriority": "Spott"}, "scaleSetPriority: expected one of Regular, Spot"),
    ],
)
def test_so_do_those_of_the_other_clouds(token: str, inputs: dict[str, Any], message: str) -> None:
    (problem,) = problems(token, inputs)
    assert problem.startswith(message)


@pytest.mark.parametrize(
    ("cloud", "cluster", "version", "pool", "machine"),
    [
        ("aws", "aws:eks/cluster:Cluster", "version", EKS_GROUP, "instanceTypes"),
        ("gcp", "gcp:container/cluster:Cluster", "minMasterVersion", GKE_POOL, "nodeConfig.machineType"),
        ("azure", "azure-native:containerservice:ManagedCluster", "kubernetesVersion", AKS_POOL, "vmSize"),
    ],
)
def test_versions_and_machines_are_judged_by_the_tables_of_the_configuration(
    cloud: Cloud, cluster: str, version: str, pool: str, machine: str
) -> None:
    def of_machine(name: str) -> dict[str, Any]:
        head, _, key = machine.rpartition(".")
        value = {key: [name] if key.endswith("s") else name}
        return {head: value} if head else value

    for known in kubernetes_versions.STANDARD_SUPPORT_ENDS[cloud]:
        assert list(values.problems(cluster, {version: known})) == []
    assert list(values.problems(cluster, {version: "1.12"}))
    for name in {**machines.CPU_MACHINES[cloud], **machines.GPU_MACHINES[cloud]}:
        assert list(values.problems(pool, of_machine(name))) == []
    assert list(values.problems(pool, of_machine("huge")))


def test_enumerations_of_azure_are_judged() -> None:
    pool = {"resourceGroupName": "g", "resourceName": "c", "mode": "Users"}
    (problem,) = problems("azure-native:containerservice:AgentPool", pool)
    assert problem == "mode: expected one of Gateway, System, User, got 'Users'"


def test_a_zone_without_t4s_is_refused() -> None:
    pool = {
        "cluster": "c",
        "nodeLocations": ["us-central1-z"],
        "nodeConfig": {"guestAccelerators": [{"type": "nvidia-tesla-t4", "count": 1}]},
    }
    assert problems("gcp:container/nodePool:NodePool", pool) == [
        "nodeLocations[]: us-central1-z has no nvidia-tesla-t4"
    ]


def test_an_unknown_type_is_refused_and_a_custom_resource_left_to_the_cluster() -> None:
    assert problems("aws:eks/nodePool:NodePool", {}) == ["unknown resource type aws:eks/nodePool:NodePool"]
    assert problems("kubernetes:argoproj.io/v1alpha1:Application", {"apiVersion": "x", "kind": "y"}) == []


def test_kubernetes_objects_are_judged_by_their_own_schema() -> None:
    token = "kubernetes:core/v1:Namespace"
    assert problems(token, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}) == []
    assert problems(token, {"metadata": {"nam": "n"}}) == ["metadata.nam: unknown property, did you mean name?"]


def test_the_same_resource_has_the_same_id_and_another_one_another() -> None:
    one = outputs.of("aws:ec2/vpc:Vpc", "a", {})
    assert one == outputs.of("aws:ec2/vpc:Vpc", "a", {})
    assert one[0] != outputs.of("aws:ec2/vpc:Vpc", "b", {})[0]
    assert one[0].startswith("vpc-")


def test_a_function_that_is_not_emulated_is_an_error() -> None:
    with pytest.raises(KeyError):
        outputs.calls("aws:ec2/getAmi:getAmi", {})


def test_classes_of_one_name_in_two_modules_are_told_apart() -> None:
    """Both have an ``SkuArgs``."""
    registry = {"resourceGroupName": "g", "sku": {"name": "Basic"}}
    vault = {"resourceGroupName": "g", "properties": {"tenantId": "t", "sku": {"family": "A", "name": "standard"}}}
    assert problems("azure-native:containerregistry:Registry", registry) == []
    assert problems("azure-native:keyvault:Vault", vault) == []
