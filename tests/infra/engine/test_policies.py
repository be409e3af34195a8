"""The policy pack, asked by the engine; that the stacks keep it, test_life shows."""

from __future__ import annotations

import pytest

from tests.infra.engine.workspace import Workspace

pytestmark = [pytest.mark.built, pytest.mark.timeout(300)]

#: A stack that somebody wrote beside the library.
PROJECT = """\
name: own-work
runtime: {name: python, options: {virtualenv: ../../.venv}}
"""
PROGRAM = """\
from pulumi_aws import eks

eks.NodeGroup(
    "gpu",
    cluster_name="c",
    node_role_arn="arn:aws:iam::1:role/r",
    subnet_ids=["subnet-1"],
    ami_type="AL2023_x86_64_NVIDIA",
    capacity_type="ON_DEMAND",
    instance_types=["g4dn.xlarge"],
    scaling_config=eks.NodeGroupScalingConfigArgs(min_size=1, desired_size=1, max_size=2),
)
"""


def test_a_stack_that_breaks_them_is_not_built(place: Workspace) -> None:
    folder = place.folder / "infra" / "own"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "__main__.py").write_text(PROGRAM)
    place.init("own")
    told = place.pulumi("own", "up", "--yes", "--policy-pack", "../policy", "--suppress-progress").refused().output
    for part in (
        "gpu-pools",
        "has GPUs and is not of spot nodes",
        "keeps 1 nodes running",
        "has no cluster, environment",
    ):
        assert part in told
    assert place.cloud.deeds == []
