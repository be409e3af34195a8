"""Each rule lets the shipped stacks pass and catches the very thing that it is for."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from llm_infra.clouds import CLOUDS
from llm_policy import rules
from llm_policy.pack import policies
from tests.infra import programs

CLUSTERS = {"aws": rules.EKS, "gcp": rules.GKE, "azure": rules.AKS}
POOLS = {"aws": rules.EKS_GROUP, "gcp": rules.GKE_POOL, "azure": rules.AKS_POOL}


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_shipped_stacks_keep_every_rule(cloud: str, stack: str) -> None:
    recorded = programs.as_shipped(cloud, stack)
    found = [
        (name, resource.name, message)
        for resource in recorded.resources
        for name, (_, rule) in rules.RULES.items()
        for message in rule(resource.type, resource.inputs)
    ]
    assert found == []
    for resource in recorded.resources:
        assert not list(rules.protected(resource.type, resource.inputs, by_pulumi=resource.options["protect"]))


def props_of(cloud: str, kind: str, name: str = "", stack: str = "prod") -> dict[str, Any]:
    return copy.deepcopy(programs.as_shipped(cloud, stack).one(kind, name).inputs)


def put(props: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """``props`` with the value at ``a.b.c``; ``...`` takes it away."""
    *steps, last = path.split(".")
    at = props
    for step in steps:
        at = at[step]
    if value is ...:
        at.pop(last, None)
    else:
        at[last] = value
    return props


#: Rule, cloud, kind of resource, its name, what is changed, part of the message.
BREACHES = [
    ("api-endpoint", "aws", rules.EKS, "", ("vpcConfig.publicAccessCidrs", ["0.0.0.0/0"]), "open to everybody"),
    ("api-endpoint", "aws", rules.EKS, "", ("vpcConfig.publicAccessCidrs", ...), "open to everybody"),
    ("api-endpoint", "azure", rules.AKS, "", ("apiServerAccessProfile.authorizedIPRanges", []), "open to everybody"),
    (
        "api-endpoint",
        "gcp",
        rules.GKE,
        "",
        ("controlPlaneEndpointsConfig.ipEndpointsConfig.enabled", True),
        "address of",
    ),
    ("encrypted", "aws", rules.EKS, "", ("encryptionConfig", ...), "not encrypted"),
    ("encrypted", "aws", "aws:kms/key:Key", "", ("enableKeyRotation", False), "never rotated"),
    ("encrypted", "aws", ":StorageClass", "", ("parameters", {"type": "gp3"}), "not encrypted"),
    (
        "encrypted",
        "aws",
        ":LaunchTemplate",
        "gpu",
        ("blockDeviceMappings", [{"ebs": {"encrypted": "false"}}]),
        "disk is",
    ),
    ("encrypted", "gcp", rules.GKE, "", ("databaseEncryption", ...), "not encrypted"),
    ("encrypted", "azure", rules.AKS, "", ("securityProfile.azureKeyVaultKms", ...), "not encrypted"),
    ("private-nodes", "aws", ":Subnet", "private-us-west-2a", ("mapPublicIpOnLaunch", True), "public addresses"),
    ("private-nodes", "gcp", rules.GKE, "", ("privateClusterConfig.enablePrivateNodes", False), "public addresses"),
    ("private-nodes", "azure", rules.AKS_POOL, "cpu", ("enableNodePublicIP", True), "public addresses"),
    ("standard-support", "aws", rules.EKS, "", ("upgradePolicy", ...), "six times the price"),
    ("standard-support", "gcp", rules.GKE, "", ("releaseChannel.channel", "EXTENDED"), "standard support"),
    ("standard-support", "azure", rules.AKS, "", ("supportPlan", "AKSLongTermSupport"), "six times"),
    ("gpu-pools", "aws", rules.EKS_GROUP, "gpu", ("capacityType", "ON_DEMAND"), "not of spot nodes"),
    ("gpu-pools", "aws", rules.EKS_GROUP, "gpu", ("scalingConfig.minSize", 1), "keeps 1 nodes running"),
    ("gpu-pools", "aws", rules.EKS_GROUP, "gpu", ("taints", []), "no taint"),
    ("gpu-pools", "gcp", rules.GKE_POOL, "gpu", ("nodeConfig.spot", False), "not of spot nodes"),
    ("gpu-pools", "gcp", rules.GKE_POOL, "gpu", ("autoscaling.totalMinNodeCount", 2), "keeps 2"),
    ("gpu-pools", "gcp", rules.GKE_POOL, "gpu", ("nodeConfig.taints", ...), "no taint"),
    ("gpu-pools", "azure", rules.AKS_POOL, "gpu", ("scaleSetPriority", "Regular"), "not of spot nodes"),
    (
        "gpu-pools",
        "azure",
        rules.AKS_POOL,
        "gpu",
        ("nodeTaints", ["kubernetes.azure.com/scalesetpriority=spot:x"]),
        "taint",
    ),
    ("tagged", "aws", rules.EKS_GROUP, "cpu", ("tags", {"project": "x"}), "has no cluster, environment among its tags"),
    ("tagged", "gcp", rules.GKE_POOL, "gpu", ("nodeConfig.resourceLabels", {}), "has no cluster, environment, project"),
    ("tagged", "azure", rules.AKS_POOL, "gpu", ("tags", ...), "has no cluster, environment, project among its tags"),
    ("tagged", "gcp", rules.GKE, "", ("resourceLabels", ...), "has no cluster, environment, project"),
]


@pytest.mark.parametrize(("name", "cloud", "kind", "of", "change", "message"), BREACHES)
def test_a_breach_is_caught(name: str, cloud: str, kind: str, of: str, change: tuple[str, Any], message: str) -> None:
    resource = programs.as_shipped(cloud, "prod").one(kind, of)
    _, rule = rules.RULES[name]
    props = put(copy.deepcopy(resource.inputs), *change)
    (found,) = rule(resource.type, props)
    assert message in found


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_production_that_can_be_deleted_is_caught(cloud: str, stack: str) -> None:
    props = props_of(cloud, CLUSTERS[cloud], stack=stack)
    props.pop("deletionProtection", None)
    found = list(rules.protected(CLUSTERS[cloud], props, by_pulumi=False))
    assert ["can be deleted" in message for message in found] == ([True] if stack == "prod" else [])


def test_what_is_dear_in_prod_may_be_left_out_in_dev() -> None:
    props = put(props_of("aws", rules.EKS, stack="dev"), "vpcConfig.publicAccessCidrs", ["0.0.0.0/0"])
    assert list(rules.api_endpoint(rules.EKS, props)) == []


@pytest.mark.parametrize(
    ("kind", "props"),
    [
        ("aws:ec2/securityGroup:SecurityGroup", {"ingress": [{"cidrBlocks": ["0.0.0.0/0"]}]}),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"cidrIpv6": "::/0"}),
        ("gcp:compute/firewall:Firewall", {"sourceRanges": ["0.0.0.0/0"]}),
    ],
)
def test_a_door_for_everybody_is_caught(kind: str, props: dict[str, Any]) -> None:
    assert len(list(rules.no_open_firewall(kind, props))) == 1


def test_going_out_to_everywhere_is_nobodys_door() -> None:
    props = {"direction": "EGRESS", "sourceRanges": ["0.0.0.0/0"]}
    assert list(rules.no_open_firewall("gcp:compute/firewall:Firewall", props)) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ({"Effect": "Allow", "Action": "*", "Resource": "*"}, ["allows *: name the actions"]),
        ({"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:x"]}, ["allows s3:*: name the actions"]),
        (
            {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"},
            ["allows s3:PutObject on every resource: name them"],
        ),
        ({"Effect": "Allow", "Action": "ec2:DescribeImages", "Resource": "*"}, []),
        ({"Effect": "Deny", "Action": "*", "Resource": "*"}, []),
    ],
)
def test_wildcards_of_iam(statement: dict[str, Any], found: list[str]) -> None:
    props = {"policy": json.dumps({"Statement": [statement]})}
    assert list(rules.no_wildcards("aws:iam/rolePolicy:RolePolicy", props)) == found


def test_a_key_outside_of_what_holds_secrets_is_caught() -> None:
    key = ("random:index/randomBytes:RandomBytes", "urn:key", {"base64": "c2VjcmV0LWtleQ=="})
    kept = ("kubernetes:core/v1:Secret", "urn:secret", {"stringData": {"current": "c2VjcmV0LWtleQ=="}})
    shown = ("kubernetes:core/v1:ConfigMap", "urn:map", {"data": {"current": "c2VjcmV0LWtleQ=="}})
    assert list(rules.shown_secrets([key, kept])) == []
    assert list(rules.shown_secrets([key, kept, shown])) == [
        ("urn:map", "holds a gate key where everybody can read it")
    ]


def test_the_pack_has_every_rule() -> None:
    assert [policy.name for policy in policies()] == [*rules.RULES, "protected", "no-shown-secrets"]


def test_every_rule_has_a_breach_here() -> None:
    assert {breach[0] for breach in BREACHES} | {"no-open-firewall", "no-wildcards"} == set(rules.RULES)
