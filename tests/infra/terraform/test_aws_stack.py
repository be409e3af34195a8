"""What HashiCorp's provider and moto, who know nothing of our emulation, say to the AWS stack."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra import programs
from tests.infra.emulation import outputs
from tests.infra.engine.habits import REPLACES
from tests.infra.programs import Recorded
from tests.infra.terraform import values
from tests.infra.terraform.provider import Refused, TerraformProvider

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(400)]

#: Inputs that version 5 of the provider does not have yet; Pulumi's is made of version 6.
NEWER = {
    ("aws:ec2/natGateway:NatGateway", "availabilityMode"),
    ("aws:ec2/natGateway:NatGateway", "vpcId"),
    ("aws:eks/cluster:Cluster", "deletionProtection"),
}
#: What moto does not make; planned all the same.
NOT_IN_MOTO = (
    "aws:autoscaling/tag:Tag",
    "aws:eks/accessEntry:AccessEntry",
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
    "aws:eks/addon:Addon",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation",
)
GROUP = "aws:eks/nodeGroup:NodeGroup"


class Made:
    """Makes the program's AWS resources by the provider, and keeps their state by type and name."""

    def __init__(self, aws: TerraformProvider) -> None:
        self._aws = aws
        self.configs: dict[tuple[str, str], dict[str, Any]] = {}
        self.states: dict[tuple[str, str], dict[str, Any]] = {}

    def make(self, token: str, name: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        ident, emulated = outputs.of(token, name, inputs)
        if not token.startswith("aws:"):
            return ident, emulated
        kind = values.type_of(token, self._aws.schemas)
        config, _ = values.block(self._aws.schemas[kind], inputs)
        if token in NOT_IN_MOTO:
            self._aws.validate(kind, config)
            self._aws.plan(kind, None, config)
            return ident, emulated
        real = self._aws.create(kind, config)
        self.configs[token, name], self.states[token, name] = config, real
        added = {
            key: values.like(example, values.found(real, key))
            for key, example in emulated.items()
            if key not in inputs and values.found(real, key) is not None
        }
        return str(real["id"]), {**emulated, **added}

    def of(self, token: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Configuration and state."""
        (found,) = [key for key in self.states if key[0] == token and name in key[1]]
        return copy.deepcopy(self.configs[found]), self.states[found]


@pytest.fixture(scope="module")
def made(aws: TerraformProvider) -> Made:
    """The dev stack, made in moto in the program's own order, ids and all."""
    everything = Made(aws)
    programs.run("aws", "dev", make=everything.make)
    return everything


def resources(recorded: Recorded) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in recorded.resources:
        if each.type.startswith("aws:"):
            yield each.type, each.inputs


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_every_resource_is_one_that_the_provider_would_take(aws: TerraformProvider, stack: str) -> None:
    strange = set()
    for token, inputs in resources(programs.as_shipped("aws", stack)):
        kind = values.type_of(token, aws.schemas)
        config, unknown = values.block(aws.schemas[kind], inputs)
        strange |= {(token, path) for path in unknown}
        if token == "aws:ec2/natGateway:NatGateway":
            continue  # Of a whole region: version 5 wants a subnet.
        aws.validate(kind, config)
        aws.plan(kind, None, config)
    assert strange <= NEWER


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("capacity_type", "SPOTT", 'expected capacity_type to be one of ["ON_DEMAND" "SPOT"'),
        ("ami_type", "AL2", "expected ami_type to be one of"),
        ("taint", [{"key": "k", "value": "v", "effect": "NoSchedule"}], "to be one of"),
    ],
)
def test_it_is_not_the_one_that_takes_everything(aws: TerraformProvider, key: str, value: Any, message: str) -> None:
    inputs = programs.as_shipped("aws", "dev").one(GROUP, "gpu").inputs
    config, _ = values.block(aws.schemas["aws_eks_node_group"], inputs)
    with pytest.raises(Refused, match="to be one of") as caught:
        aws.validate("aws_eks_node_group", config | {key: value})
    assert message in str(caught.value)


def test_the_whole_stack_comes_up_in_moto(made: Made) -> None:
    """Where a reference leads nowhere, moto refuses: what was made has real ids in all places."""
    _, cluster = made.of("aws:eks/cluster:Cluster", "")
    config, group = made.of(GROUP, "gpu")
    assert group["cluster_name"] == cluster["name"] == "llm-dev"
    assert (group["status"], group["capacity_type"]) == ("ACTIVE", "SPOT")
    assert [(each["key"], each["effect"]) for each in group["taint"]] == [("nvidia.com/gpu", "NO_SCHEDULE")]
    assert group["labels"] == config["labels"]
    subnets = {state["id"] for (token, _), state in made.states.items() if token == "aws:ec2/subnet:Subnet"}
    assert set(group["subnet_ids"]) <= subnets
    assert len(made.states) > 40


@pytest.mark.parametrize(
    ("token", "name", "change", "replaced"),
    [
        (GROUP, "gpu", {"instance_types": ["g4dn.2xlarge"]}, "instanceTypes"),
        (GROUP, "gpu", {"capacity_type": "ON_DEMAND"}, "capacityType"),
        (GROUP, "gpu", {"ami_type": "AL2023_x86_64_STANDARD"}, "amiType"),
        (GROUP, "gpu", {"disk_size": 200}, "diskSize"),
        (GROUP, "gpu", {"scaling_config": [{"min_size": 0, "desired_size": 0, "max_size": 5}]}, None),
        (GROUP, "gpu", {"labels": {"llm-platform/pool": "gpu"}}, None),
        (GROUP, "gpu", {"taint": []}, None),
        (GROUP, "cpu", {"version": "1.36"}, None),
        ("aws:ec2/vpc:Vpc", "", {"cidr_block": "10.99.0.0/16"}, "cidrBlock"),
        ("aws:ec2/subnet:Subnet", "us-west-2a", {"availability_zone": "us-west-2c"}, "availabilityZone"),
        ("aws:eks/cluster:Cluster", "", {"role_arn": "arn:aws:iam::123456789012:role/other"}, "roleArn"),
        ("aws:eks/cluster:Cluster", "", {"enabled_cluster_log_types": ["api"]}, None),
        ("aws:eks/cluster:Cluster", "", {"version": "1.36"}, None),
    ],
)
def test_what_replaces_is_what_our_emulation_says(
    aws: TerraformProvider, made: Made, token: str, name: str, change: dict[str, Any], replaced: str | None
) -> None:
    kind = values.type_of(token, aws.schemas)
    config, state = made.of(token, name)
    # moto forgets some of what it was told: that much differs without any change.
    forgotten = aws.replaced_by(kind, state, config)
    found = aws.replaced_by(kind, state, config | change) - forgotten
    assert found - {"id"} == ({values.snake(replaced)} if replaced else set())
    assert replaced is None or replaced in REPLACES[token]
