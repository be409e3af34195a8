"""The policy pack, asked by the engine; that the stacks keep it, test_life shows."""

from __future__ import annotations

import pytest

from llm_infra.clouds import CLOUDS
from tests.infra.engine.workspace import Workspace

pytestmark = [pytest.mark.built, pytest.mark.timeout(300)]

#: A stack that somebody wrote beside the library.
PROJECT = """\
name: own-work
runtime: {name: python, options: {virtualenv: ../../.venv}}
"""
PROGRAM = """\
from pulumi_aws import eks
from pulumi_azure_native import containerservice
from pulumi_gcp import container

eks.NodeGroup(
    "of-aws",
    cluster_name="c",
    node_role_arn="arn:aws:iam::1:role/r",
    subnet_ids=["subnet-1"],
    ami_type="AL2023_x86_64_NVIDIA",
    capacity_type="ON_DEMAND",
    instance_types=["g4dn.xlarge"],
    scaling_config=eks.NodeGroupScalingConfigArgs(min_size=1, desired_size=1, max_size=2),
)
container.NodePool(
    "of-gcp",
    cluster="c",
    autoscaling=container.NodePoolAutoscalingArgs(total_min_node_count=1, total_max_node_count=2),
    node_config=container.NodePoolNodeConfigArgs(
        machine_type="n1-standard-4",
        guest_accelerators=[container.NodePoolNodeConfigGuestAcceleratorArgs(type="nvidia-tesla-t4", count=1)],
    ),
)
containerservice.AgentPool(
    "of-azure",
    resource_group_name="g",
    resource_name_="c",
    gpu_profile=containerservice.GPUProfileArgs(driver="Install"),
    min_count=1,
)
"""


def test_a_stack_that_breaks_them_is_not_built(place: Workspace) -> None:
    folder = place.folder / "infra" / "own"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "__main__.py").write_text(PROGRAM)
    place.init("own")
    told = place.pulumi("own", "up", "--yes", "--policy-pack", "../policy", "--suppress-progress").refused().output
    assert "gpu-pools" in told
    for cloud in CLOUDS:
        assert f"of-{cloud} has GPUs and is not of spot nodes" in told
        assert f"of-{cloud} has GPUs and keeps 1 nodes running" in told
        assert f"of-{cloud} has no cluster, environment" in told
    assert place.cloud.deeds == []
