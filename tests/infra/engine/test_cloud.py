"""The pretended clouds refuse what the real ones refuse; no engine has to run for that to be seen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.emulation import outputs
from tests.infra.engine.cloud import LOCK, Cloud, Refusal, Thing

#: A cluster with what it needs, and a pool: type → inputs.
AWS = {
    "aws:ec2/subnet:Subnet": {},
    "aws:iam/role:Role": {"name": "r"},
    "aws:eks/cluster:Cluster": {"name": "c"},
    "aws:eks/nodeGroup:NodeGroup": {"clusterName": "c", "subnetIds": []},
}
GCP = {
    "gcp:container/cluster:Cluster": {"name": "c", "location": "here"},
    "gcp:container/nodePool:NodePool": {"cluster": "projects/demo-project/locations/here/clusters/c"},
}
AZURE = {
    "azure-native:resources:ResourceGroup": {"resourceGroupName": "g"},
    "azure-native:containerservice:ManagedCluster": {"resourceGroupName": "g", "resourceName": "c"},
    "azure-native:containerservice:AgentPool": {"resourceGroupName": "g", "resourceName": "c", "agentPoolName": "p"},
}


def made(cloud: Cloud, token: str, inputs: dict[str, Any]) -> Thing:
    ident, state = outputs.of(token, inputs.get("name", "one"), inputs)
    thing = Thing(token, ident, f"urn:pulumi:dev::llm::{token}::one", inputs, state)
    cloud.create(thing)
    return thing


@pytest.mark.parametrize("things", [AWS, GCP, AZURE], ids=["aws", "gcp", "azure"])
def test_what_is_referred_to_must_be_there_and_cannot_go_before(things: dict[str, dict[str, Any]]) -> None:
    cloud = Cloud()
    (*needed, (token, inputs)) = things.items()
    with pytest.raises(Refusal, match=r"NotFound: .* is no "):
        made(cloud, token, inputs)
    *_, cluster = [made(cloud, *thing) for thing in needed]
    pool = made(cloud, token, inputs)
    with pytest.raises(Refusal, match="DependencyViolation"):
        cloud.delete(cluster.token, cluster.id, cluster.urn)
    cloud.delete(pool.token, pool.id, pool.urn)
    cloud.delete(cluster.token, cluster.id, cluster.urn)
    assert cluster not in cloud.things.values()


@pytest.mark.parametrize("things", [AWS, GCP, AZURE], ids=["aws", "gcp", "azure"])
def test_what_is_there_is_not_made_again(things: dict[str, dict[str, Any]]) -> None:
    cloud = Cloud()
    for thing in things.items():
        made(cloud, *thing)
    with pytest.raises(Refusal, match="AlreadyExists"):
        made(cloud, *list(things.items())[-1])


@pytest.mark.parametrize("scope", ["", "/agentPools/p", "/agentPools"])
def test_a_lock_of_azure_keeps_what_is_above_and_below(scope: str) -> None:
    cloud = Cloud()
    group, cluster, pool = (made(cloud, *thing) for thing in AZURE.items())
    lock = made(cloud, LOCK, {"scope": f"{cluster.id}{scope}", "level": "CanNotDelete"})
    for kept in (pool, cluster, group):
        with pytest.raises(Refusal, match="ScopeLocked"):
            cloud.delete(kept.token, kept.id, kept.urn)
    assert cloud.locked(f"{cluster.id}/agentPools/other") == (
        None if scope == "/agentPools/p" else f"{cluster.id}{scope}"
    )
    for thing in (lock, pool, cluster, group):
        cloud.delete(thing.token, thing.id, thing.urn)
    assert cloud.things == {}
