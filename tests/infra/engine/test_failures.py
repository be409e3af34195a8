"""What goes wrong on the way, and what the next run makes of it."""

from __future__ import annotations

import json

import pytest

from llm_infra.clouds import CLOUDS
from tests.infra.engine.test_life import CLUSTERS, POOLS
from tests.infra.engine.workspace import Workspace

pytestmark = [pytest.mark.built, pytest.mark.timeout(300)]


#: What each cloud says of a cluster's name that is taken, of one that takes long, and of GPUs that it will not give.
TAKEN = {
    "aws": "ResourceInUseException: Cluster already exists with name: llm-dev",
    "gcp": "Error 409: Already exists: projects/demo-project/locations/us-central1-a/clusters/llm-dev",
    "azure": "cannot create already existing resource '/subscriptions/0/…/managedClusters/llm-dev'",
}
LATE = {
    "aws": "waiting for EKS Cluster (mine-dev) create: timeout while waiting for state to become 'ACTIVE'",
    "gcp": "Error waiting for creating GKE cluster: timeout while waiting for state to become 'DONE'",
    "azure": "context deadline exceeded: the operation is still in progress",
}
QUOTA = {
    "aws": "VcpuLimitExceeded: you have requested more vCPU capacity than your current limit of 0",
    "gcp": "Error 403: Insufficient regional quota to satisfy request: resource PREEMPTIBLE_NVIDIA_T4_GPUS",
    "azure": "ErrCode_InsufficientVCPUQuota: Insufficient vcpu quota requested 4, remaining 0",
}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_goes_wrong_in_the_middle_is_told_and_the_next_run_goes_on_from_there(
    place: Workspace, cloud: str
) -> None:
    """A name that is taken, slow creation, a quota, and permissions that a cloud grants before they hold."""
    if cloud == "aws":
        # One of them as its users have it, to whom a run may end in the middle.
        place = place.writing_each_step()
    place.init(cloud)
    place.cloud.fail_once("create", CLUSTERS[cloud], "", TAKEN[cloud])
    assert TAKEN[cloud] in place.up(cloud).refused().output
    assert place.cloud.of(POOLS[cloud]) == []
    place.config(cloud, "name", "mine")

    place.cloud.be_slow_once(CLUSTERS[cloud], "", LATE[cloud])
    assert LATE[cloud] in place.up(cloud).refused().output
    place.cloud.fail_once("create", POOLS[cloud], "gpu", QUOTA[cloud])
    assert QUOTA[cloud] in place.up(cloud).refused().output
    assert place.cloud.of("Release") == [], "nothing is put on a cluster that is not whole"
    forbidden = 'namespaces "argocd" is forbidden: User "deployer" cannot patch resource "namespaces"'
    place.cloud.fail_once("create", "kubernetes:core/v1:Namespace", "argocd", forbidden)
    assert forbidden in place.up(cloud).refused().output

    place.up(cloud).fine()
    made = place.cloud.order("create")
    assert len(made) == len(set(made)), "nothing is made twice"
    assert made[-1] == "Application/mine-dev-services-root"
    assert len(place.cloud.of(CLUSTERS[cloud])) == 1
    assert not [thing.urn for thing in place.cloud.things.values() if thing.name.startswith("llm-dev")]
    place.up(cloud, "--expect-no-changes").fine()


#: Who is asked first, what to do where it does not answer, and a network in the way of another one.
FIRST_ASKED = {
    "aws": ("aws:index/getAvailabilityZones:getAvailabilityZones", "sign in with aws sso login"),
    "gcp": ("gcp:organizations/getProject:getProject", "sign in with gcloud auth application-default login"),
    "azure": ("azure-native:authorization:getClientConfig", "sign in with az login"),
}
OVERLAPPING = {
    "aws": ("serviceCidr", "10.16.0.0/20", "nodeCidr: 10.16.0.0/16 overlaps serviceCidr 10.16.0.0/20"),
    "gcp": ("podCidr", "10.32.0.0/16", "nodeCidr: 10.32.0.0/20 overlaps podCidr 10.32.0.0/16"),
    "azure": ("podCidr", "10.48.0.0/16", "nodeCidr: 10.48.0.0/16 overlaps podCidr 10.48.0.0/16"),
}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_is_missing_or_cannot_be_is_told_and_no_cloud_is_touched(place: Workspace, cloud: str) -> None:
    place.init(cloud)
    function, message = FIRST_ASKED[cloud]
    place.cloud.fail_once("call", function, "", "no credentials were found")
    signed_out = preview_refused(place, cloud)
    assert f"does not answer (no credentials were found): {message}" in signed_out

    key, network, overlap = OVERLAPPING[cloud]
    place.config(cloud, key, network)
    place.config(cloud, "kubernetesVersion", "1.12")
    place.config(cloud, "zones[0]", "nowhere-1", "--path")
    impossible = preview_refused(place, cloud)
    for told in (overlap, f"kubernetesVersion: '1.12' is not offered by {cloud}", "zones: nowhere-1 is no zone of"):
        assert told in impossible

    place.config(cloud, "gpuUsdPerHour", "0.2", "--secret")
    lost = place.pulumi(cloud, "preview", passphrase="another").refused().output
    assert "incorrect passphrase" in lost
    place.pulumi(cloud, "config", "rm", "domain").fine()
    assert "Stack 'dev' is missing configuration value 'domain'" in preview_refused(place, cloud)
    assert place.cloud.deeds == []


def preview_refused(place: Workspace, cloud: str) -> str:
    refused = place.pulumi(cloud, "preview").refused().output
    assert "Traceback" not in refused
    return refused


def test_a_new_generation_of_keys_keeps_the_one_that_comes_into_use(place: Workspace) -> None:
    place.init("azure")
    place.up("azure").fine()
    secret = place.cloud.one("kubernetes:core/v1:Secret", "gate-keys-azure-gpu").inputs["stringData"]
    place.config("azure", "gateKeyGeneration", "2")
    steps = {(step.op, step.name) for step in place.preview("azure") if "RandomBytes" in step.type}
    assert steps == {
        (op, f"{pool}-gate-key-{number}")
        for op, number in (("create", 3), ("delete", 1))
        for pool in ("azure", "azure-gpu")
    }
    place.up("azure").fine()
    rotated = place.cloud.one("kubernetes:core/v1:Secret", "gate-keys-azure-gpu").inputs["stringData"]
    assert (rotated["current-id"], rotated["current"]) == ("azure-gpu.2", secret["next"])
    assert json.dumps(rotated).count(secret["current"]) == 0
