"""What goes wrong on the way, and what the next run makes of it."""

from __future__ import annotations

import json

import pytest

from tests.infra.engine.test_life import POOLS
from tests.infra.engine.workspace import Workspace

pytestmark = [pytest.mark.built, pytest.mark.timeout(300)]


def test_a_quota_stops_the_run_and_the_next_one_goes_on_from_there(place: Workspace) -> None:
    place = place.writing_each_step()
    place.init("aws")
    message = "VcpuLimitExceeded: you have requested more vCPU capacity than your current limit of 0"
    place.cloud.fail_once("create", POOLS["aws"], "gpu", message)
    failed = place.up("aws").refused()
    assert message in failed.output
    done = list(place.cloud.deeds)
    assert place.cloud.of("Release") == [], "nothing is put on a cluster that is not whole"
    place.up("aws").fine()
    again = place.cloud.deeds[len(done) :]
    assert not {deed[1:] for deed in done} & {deed[1:] for deed in again}, "nothing is made twice"
    place.up("aws", "--expect-no-changes").fine()


def test_what_took_too_long_is_gone_on_with_and_not_made_again(place: Workspace) -> None:
    """Slow creation, and permissions that a cloud grants before they hold: the two that a second run gets over."""
    place.init("azure")
    late = "context deadline exceeded: the operation is still in progress"
    place.cloud.be_slow_once("azure-native:containerservice:ManagedCluster", "", late)
    assert late in place.up("azure").refused().output
    forbidden = 'namespaces "argocd" is forbidden: User "deployer" cannot patch resource "namespaces"'
    place.cloud.fail_once("create", "kubernetes:core/v1:Namespace", "argocd", forbidden)
    assert forbidden in place.up("azure").refused().output
    place.up("azure").fine()
    made = place.cloud.order("create")
    assert len(made) == len(set(made)), "nothing is made twice"
    assert len(place.cloud.of("ManagedCluster")) == 1
    place.up("azure", "--expect-no-changes").fine()


def test_a_destroy_that_stops_half_way_is_finished_by_the_next_one(place: Workspace) -> None:
    place = place.writing_each_step()
    place.init("azure")
    place.up("azure").fine()
    locked = "ScopeLocked: the scope cannot be deleted because it is locked"
    place.cloud.fail_once("delete", "azure-native:containerservice:ManagedCluster", "", locked)
    destroy = ("destroy", "--yes", "--skip-preview", "--suppress-progress")
    assert locked in place.pulumi("azure", *destroy).refused().output
    assert place.cloud.of("ResourceGroup")
    place.pulumi("azure", *destroy).fine()
    assert place.cloud.things == {}


def test_other_machines_come_before_the_old_ones_go_where_names_allow_it(place: Workspace) -> None:
    place.init("aws")
    place.up("aws").fine()
    before = len(place.cloud.deeds)
    place.pulumi("aws", "config", "set", "--path", "gpuMachineTypes[0]", "g4dn.2xlarge").fine()
    place.up("aws").fine()
    deeds = [(deed, name) for deed, token, name in place.cloud.deeds[before:] if token == POOLS["aws"]]
    assert deeds == [("create", "llm-dev-gpu"), ("delete", "llm-dev-gpu")]
    assert place.cloud.one(POOLS["aws"], "gpu").inputs["instanceTypes"][0] == "g4dn.2xlarge"


def test_a_configuration_that_cannot_be_never_asks_a_cloud(place: Workspace) -> None:
    place.init("gcp")
    place.config("gcp", "podCidr", "10.32.0.0/16")
    place.config("gcp", "kubernetesVersion", "1.12")
    refused = place.pulumi("gcp", "preview").refused()
    assert "nodeCidr: 10.32.0.0/20 overlaps podCidr 10.32.0.0/16" in refused.output
    assert "kubernetesVersion: '1.12' is not offered by gcp" in refused.output
    assert "Traceback" not in refused.output
    assert place.cloud.deeds == []


@pytest.mark.parametrize(
    ("cloud", "function", "message"),
    [
        ("aws", "aws:index/getAvailabilityZones:getAvailabilityZones", "sign in with aws sso login"),
        ("gcp", "gcp:organizations/getProject:getProject", "sign in with gcloud auth application-default login"),
        ("azure", "azure-native:authorization:getClientConfig", "sign in with az login"),
    ],
)
def test_who_is_not_signed_in_is_told_how(place: Workspace, cloud: str, function: str, message: str) -> None:
    place.init(cloud)
    place.cloud.fail_once("call", function, "", "no credentials were found")
    refused = place.pulumi(cloud, "preview").refused().output
    assert f"does not answer (no credentials were found): {message}" in refused
    assert "Traceback" not in refused


def test_a_name_that_another_cluster_has_is_told_by_the_cloud_and_the_next_run_goes_on(place: Workspace) -> None:
    place.init("gcp")
    taken = "Error 409: Already exists: projects/demo-project/locations/us-central1-a/clusters/llm-dev"
    place.cloud.fail_once("create", "gcp:container/cluster:Cluster", "", taken)
    assert taken in place.up("gcp").refused().output
    assert place.cloud.of("nodePool:NodePool") == []
    place.config("gcp", "name", "mine")
    place.up("gcp").fine()
    assert place.cloud.one("container/cluster:Cluster").inputs["name"] == "mine-dev"


def test_a_lost_passphrase_is_told_as_one(place: Workspace) -> None:
    place.init("gcp")
    place.config("gcp", "gpuUsdPerHour", "0.2", "--secret")
    refused = place.pulumi("gcp", "preview", passphrase="another").refused()
    assert "passphrase" in refused.output


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
