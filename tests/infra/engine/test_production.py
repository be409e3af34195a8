"""A production as it is shipped, on the real engine: it comes whole, stays, and goes only when it really is to."""

from __future__ import annotations

import pytest

from llm_infra.clouds import CLOUDS
from tests.infra.engine.test_life import CLUSTERS, POOLS
from tests.infra.engine.workspace import Workspace

pytestmark = [pytest.mark.built, pytest.mark.timeout(300)]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_it_comes_whole_stays_and_goes_when_it_is_told_to(place: Workspace, cloud: str) -> None:
    place.init(cloud, "prod")
    assert {step.op for step in place.preview(cloud)} == {"create"}
    place.up(cloud, "--policy-pack", "../policy").fine()
    assert len(place.cloud.of(POOLS[cloud])) == 2
    assert [thing.name for thing in place.cloud.of("core/v1:Secret")] == ["llm-prod-services-cluster-secret"]
    place.up(cloud, "--expect-no-changes").fine()

    place.cloud.pushed.update(registry.id for registry in place.cloud.of("ecr/repository:Repository"))
    before = dict(place.cloud.things)
    assert "protected" in place.pulumi(cloud, "destroy", "--yes", "--suppress-progress").refused().output
    assert "call this with --production" in place.teardown(cloud, "prod").stderr
    assert place.cloud.things == before

    done = place.teardown(cloud, "prod", "--production")
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.cloud.things == {}
    assert "delete application root --namespace argocd" in (place.folder / "kubectl-calls").read_text()


def test_aws_itself_keeps_a_cluster_that_pulumi_would_delete(place: Workspace) -> None:
    """Somebody takes away Pulumi's protection alone."""
    place.init("aws", "prod")
    place.up("aws").fine()
    place.pulumi("aws", "state", "unprotect", "--all", "--yes").fine()
    told = place.pulumi("aws", "destroy", "--yes", "--skip-preview", "--suppress-progress").refused().output
    assert f"DeletionProtection: {CLUSTERS['aws']} llm-prod cannot be deleted" in told
    assert place.cloud.of(CLUSTERS["aws"])

    before = dict(place.cloud.things)
    place.cloud.fail_once("update", CLUSTERS["aws"], "llm-prod", "AccessDenied: not today")
    stopped = place.teardown("aws", "prod", "--production")
    assert stopped.returncode == 1
    assert "llm-prod is still protected: put right what it says" in stopped.stderr
    assert place.cloud.things.keys() == before.keys()

    done = place.teardown("aws", "prod", "--production")
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.cloud.things == {}
