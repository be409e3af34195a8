"""The stacks' configuration: what is shipped loads, what cannot work is refused with what to do."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import yaml

from llm_infra.clouds import CLOUDS, Cloud
from llm_infra.errors import SettingsError
from llm_infra.settings.load import load
from tests.infra.programs import INFRA, config_of
from tests.infra.settings.settings import TODAY, get_of, loaded


def refused(cloud: Cloud, stack: str = "dev", *, today: date = TODAY, **changes: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        loaded(cloud, stack, today=today, **changes)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_what_is_shipped_loads(cloud: Cloud, stack: str) -> None:
    platform = loaded(cloud, stack).platform
    assert platform.environment == stack
    assert platform.cluster == f"llm-{stack}"
    assert platform.host("cpu") == f"{cloud}.llm.example.com"
    assert platform.host("gpu") == f"{cloud}-gpu.llm.example.com"
    assert platform.gpu is not None
    assert platform.gpu.spot
    assert platform.gpu.min_nodes == 0


@pytest.mark.parametrize("cloud", CLOUDS)
def test_pulumi_yaml_declares_exactly_the_keys_that_are_read(cloud: Cloud) -> None:
    declared = yaml.safe_load((INFRA / cloud / "Pulumi.yaml").read_text())["config"]
    assert loaded(cloud).keys == set(declared)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_declared_key_is_explained_or_plain(cloud: Cloud) -> None:
    """What has neither a default nor a description leaves a person with nothing but its name."""
    declared = yaml.safe_load((INFRA / cloud / "Pulumi.yaml").read_text())["config"]
    bare = [key for key, about in declared.items() if not {"default", "description", "value"} & set(about)]
    assert bare == []


def test_all_problems_are_told_at_once() -> None:
    problems = refused("aws", name="X", domain="nowhere", kubernetesVersion="1.12")
    assert [problem.split(":")[0] for problem in problems] == ["name", "domain", "kubernetesVersion"]


def test_what_is_not_set_says_how_to_set_it() -> None:
    assert refused("aws", domain=None) == ["domain: not set: pulumi config set llm-aws:domain VALUE"]
    config = config_of("aws", "dev")
    del config["aws:region"]
    with pytest.raises(SettingsError, match="pulumi config set aws:region VALUE"):
        load("aws", config.get, today=TODAY)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("environment", "staging", "'staging' is none of dev, prod"),
        ("cpuMaxNodes", "many", "'many' is not a whole number"),
        ("cpuMaxNodes", 1000, "1000 must be from 1 to 100"),
        ("cpuSpot", "perhaps", "'perhaps' is none of false, true"),
        ("gpuUsdPerHour", "-1", "'-1' is not a number above 0"),
        ("gpuUsdPerHour", "cheap", "'cheap' is not a number above 0"),
        ("compliance", "hipaa", "is not a list of texts: pulumi config set --path 'llm-aws:compliance[0]' VALUE"),
        ("nodeCidr", "10.16.0.0/33", "is not an IPv4 network such as 10.16.0.0/16"),
        ("nodeCidr", "10.16.0.1/16", "has host bits set"),
        ("cpuModel", "../etc", "model '../etc'"),
        ("compliance", ["HIPAA"], "'HIPAA' is not a tag"),
        ("gitRepoUrl", "github.com/x", "must begin with https://"),
        ("apiServerCidrs", [], "not even this one"),
        ("apiServerCidrs", ["here"], "'here' is not an IPv4 network"),
        ("cpuMachineTypes", [], "name at least one machine type"),
        ("cpuMachineTypes", ["m1.tiny"], "m1.tiny is not known: choose one of t3.large"),
        ("gpuMachineTypes", ["m6i.large"], "m6i.large has no T4: choose one of g4dn.xlarge"),
        ("cpuMinNodes", 5, "5 is more than cpuMaxNodes 4"),
    ],
)
def test_a_value_that_cannot_be(key: str, value: Any, message: str) -> None:
    (problem,) = refused("aws", **{key: value})
    assert problem.startswith(f"{key}: ")
    assert message in problem


def test_a_key_that_nobody_reads_is_a_misspelt_one() -> None:
    given = ["llm-aws:gpuMaxNode", "llm-aws:name", "llm-aws:colour", "aws:profile"]
    with pytest.raises(SettingsError) as caught:
        load("aws", get_of("aws"), today=TODAY, given=given)
    assert [str(problem) for problem in caught.value.problems] == [
        "colour: no such key: pulumi config rm llm-aws:colour",
        "gpuMaxNode: no such key: did you mean gpuMaxNodes? pulumi config rm llm-aws:gpuMaxNode",
    ]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_is_declared_may_be_set_whatever_else_is(cloud: Cloud) -> None:
    given = [key for key in config_of(cloud, "prod") if key.startswith("llm-")]
    ways: list[dict[str, Any]] = [{}, {"gpu": False}, {"livePrices": False}]
    for changes in ways:
        load(cloud, get_of(cloud, **changes), today=TODAY, given=given)


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("router.llm.example.org", "is no host under example.com: take one such as router.llm.example.com"),
        ("example.com", "is no host under example.com"),
        ("Router.example.com", "is no host under example.com"),
        ("llm.example.com", "the zone of llm.example.com would hide the gates' zones"),
        ("aws.llm.example.com", "would hide the gates' zones"),
    ],
)
def test_a_routers_host_that_cannot_have_a_zone_of_its_own(host: str, message: str) -> None:
    (problem,) = refused("aws", routerHost=host)
    assert message in problem
    assert loaded("aws", routerHost="router.llm.example.com").platform.hosts[-1] == "router.llm.example.com"


def test_what_is_synced_has_a_pool_of_gpus_where_the_stack_has_one() -> None:
    assert loaded("gcp").platform.gitops.path == "clusters/gcp/overlays/gpu"
    assert loaded("gcp", gpu=False).platform.gitops.path == "clusters/gcp/overlays/prod"
    assert loaded("gcp", gitPath="mine").platform.gitops.path == "mine"


@pytest.mark.parametrize(
    ("cloud", "changes", "message"),
    [
        ("gcp", {"podCidr": "10.32.0.0/16"}, "nodeCidr: 10.32.0.0/20 overlaps podCidr 10.32.0.0/16"),
        ("gcp", {"serviceCidr": "10.36.0.0/20"}, "serviceCidr: 10.36.0.0/20 overlaps podCidr 10.36.0.0/14"),
        ("aws", {"serviceCidr": "10.16.0.0/20"}, "nodeCidr: 10.16.0.0/16 overlaps serviceCidr"),
        ("azure", {"podCidr": "10.48.128.0/17"}, "nodeCidr: 10.48.0.0/16 overlaps podCidr 10.48.128.0/17"),
        ("azure", {"reservedCidrs": ["10.48.0.0/12"]}, "never be peered"),
        ("aws", {"nodeCidr": "8.8.0.0/16"}, "is not a private network"),
        ("aws", {"nodeCidr": "10.16.0.0/26"}, "take a prefix from /12 to /22"),
    ],
)
def test_networks_that_get_in_each_others_way(cloud: Cloud, changes: dict[str, Any], message: str) -> None:
    assert any(message in problem for problem in refused(cloud, **changes))


def test_the_defaults_of_the_three_clouds_can_be_peered() -> None:
    ranges = [
        cidr
        for cloud in CLOUDS
        for network in [loaded(cloud).platform.network]
        for cidr in (network.nodes, network.pods)
        if cidr is not None
    ]
    assert not [(a, b) for i, a in enumerate(ranges) for b in ranges[i + 1 :] if a.overlaps(b)]


def test_t4_zones_of_google_cloud() -> None:
    (told,) = refused("gcp", zones=["us-central1-z"])
    assert told.startswith("zones: us-central1-z has no T4s: choose from us-central1-a")
    assert loaded("gcp", zones=["us-central1-c"]).platform.zones == ("us-central1-c",)


@pytest.mark.parametrize(
    ("cloud", "zones", "message"),
    [
        (
            "aws",
            ["us-west-2a", "us-east-1b"],
            "zones: us-east-1b is no zone of us-west-2: they are written like us-west-2a",
        ),
        ("aws", ["us-west-2a"], "zones: us-west-2a alone: EKS demands two"),
        ("aws", ["us-west-2a", "us-west-2a"], "zones: one of them is named twice"),
        ("gcp", ["europe-west4-b"], "zones: europe-west4-b is no zone of us-central1"),
        ("azure", ["eastus-1"], "zones: eastus-1 is no zone of eastus: they are written like 1"),
    ],
)
def test_zones_that_cannot_be(cloud: Cloud, zones: list[str], message: str) -> None:
    """Told once, also where no table is asked for T4s."""
    for gpu in (True, False):
        (told,) = refused(cloud, zones=zones, gpu=gpu)
        assert told.startswith(message)


def test_two_zones_of_the_region_are_taken() -> None:
    assert loaded("aws", zones=["us-west-2b", "us-west-2c"]).platform.zones == ("us-west-2b", "us-west-2c")
    assert loaded("azure", zones=["1", "3"]).platform.zones == ("1", "3")


@pytest.mark.parametrize(
    ("cloud", "key", "region"),
    [
        ("aws", "aws:region", "sa-east-1"),
        ("gcp", "gcp:region", "africa-south1"),
        ("azure", "azure-native:location", "brazilsouth"),
    ],
)
def test_a_region_without_t4s_is_refused_unless_it_is_accepted_or_needs_none(
    cloud: Cloud, key: str, region: str
) -> None:
    config = {**config_of(cloud, "dev"), key: region}
    with pytest.raises(SettingsError, match="gpu"):
        load(cloud, config.get, today=TODAY)
    load(cloud, {**config, f"llm-{cloud}:acceptUnlisted": "true"}.get, today=TODAY)
    assert load(cloud, {**config, f"llm-{cloud}:gpu": "false"}.get, today=TODAY).platform.gpu is None


def test_a_machine_that_is_accepted_unlisted_needs_a_price() -> None:
    changes: dict[str, Any] = {"gpuMachineTypes": ["g4dn.metal"], "acceptUnlisted": True}
    assert refused("aws", **changes) == [
        "gpuUsdPerHour: no price is known for g4dn.metal: set gpuUsdPerHour to USD an hour of one node"
    ]
    assert loaded("aws", gpuUsdPerHour="2.5", **changes).platform.gpu is not None


@pytest.mark.parametrize("cloud", ["gcp", "azure"])
def test_one_machine_type_a_pool_where_the_cloud_takes_one(cloud: Cloud) -> None:
    config = loaded(cloud).platform.cpu.machine_types
    assert refused(cloud, cpuMachineTypes=[*config, *config]) == [
        "cpuMachineTypes: a pool of this cloud has one machine type: keep the first"
    ]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_context_that_the_model_was_not_made_for(cloud: Cloud) -> None:
    """Told here, since the chart's refusal is seen in Argo CD only, when the stack is up."""
    assert refused(cloud, cpuContextLength=4096, gpuModel="qwen3-8b", gpuContextLength=32_769) == [
        "cpuContextLength: tinyllama-1.1b-chat was made for 2048 tokens: give at most that, or another cpuModel",
        "gpuContextLength: qwen3-8b was made for 32768 tokens: give at most that, or another gpuModel",
    ]
    assert refused(cloud, cpuContextLength=2049, acceptUnlisted=True)  # which is about what the cloud has


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize(
    "changes",
    [
        {"cpuContextLength": 2048, "gpuModel": "qwen3-8b", "gpuContextLength": 32_768},
        {"cpuModel": "of-my-own-catalogue", "cpuContextLength": 1_000_000},
        {"gpu": False, "gpuContextLength": 1_000_000},
    ],
    ids=["what it was made for", "a model that is not listed", "no such pool"],
)
def test_a_context_that_nothing_speaks_against(cloud: Cloud, changes: dict[str, Any]) -> None:
    assert loaded(cloud, **changes).platform.cpu.model.context_length == changes.get("cpuContextLength", 2048)


def test_versions_that_are_unknown_or_out_of_support() -> None:
    (unknown,) = refused("azure", kubernetesVersion="1.33")
    assert "'1.33' is not offered by azure: choose one of 1.34, 1.35" in unknown
    (of_eks,) = refused("aws", kubernetesVersion="1.37")
    assert "'1.37' is not offered by aws: choose one of 1.34, 1.35, 1.36" in of_eks
    (old,) = refused("gcp", kubernetesVersion="1.34")
    assert "1.34 left standard support on 2026-10-01 and costs extra since" in old


def test_a_version_that_ends_soon_is_a_warning() -> None:
    assert "1.34 leaves standard support on 2026-12-02" in loaded("aws", kubernetesVersion="1.34").warnings[0]
    assert not [text for text in loaded("aws").warnings if "support" in text]
    # The day on which support ends is the last one.
    assert loaded("aws", kubernetesVersion="1.34", today=date(2026, 12, 2))
    assert refused("aws", kubernetesVersion="1.34", today=date(2026, 12, 3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"apiServerCidrs": ["0.0.0.0/0"]}, "0.0.0.0/0 in prod"),
        ({"privateNodes": False}, "false in prod"),
        ({"cpuMinNodes": 1}, "1 in prod"),
        ({"cpuSpot": True}, "true in prod"),
    ],
)
def test_what_prod_refuses_dev_takes(changes: dict[str, Any], message: str) -> None:
    (problem,) = refused("aws", "prod", **changes)
    assert message in problem
    assert loaded("aws", "dev", **changes)


def test_the_budget_must_carry_the_idle_stack() -> None:
    (problem,) = refused("aws", monthlyBudgetUsd="50", budgetEmail="me@example.com")
    assert "50 USD a month is less than the idle stack costs" in problem
    assert loaded("aws", monthlyBudgetUsd="500", budgetEmail="me@example.com").platform.budget is not None


def test_half_a_budget_is_none() -> None:
    assert "needs both" in refused("aws", monthlyBudgetUsd="500")[0]
    assert "needs both" in refused("aws", budgetEmail="me@example.com")[0]


def test_problems_of_reading_are_not_followed_by_ones_of_their_stand_ins() -> None:
    assert refused("aws", nodeCidr="nonsense") == [
        "nodeCidr: 'nonsense' is not an IPv4 network such as 10.16.0.0/16: Expected 4 octets in 'nonsense'"
    ]


def test_get_is_asked_by_full_key() -> None:
    asked: list[str] = []
    get = get_of("gcp")

    def noting(key: str) -> str | None:
        asked.append(key)
        return get(key)

    load("gcp", noting, today=TODAY)
    assert "llm-gcp:name" in asked
    assert "gcp:region" in asked
