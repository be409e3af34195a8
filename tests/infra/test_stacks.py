"""What holds of every stack as it is shipped: the programs run whole, against clouds that refuse what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pulumi
import pytest

from llm_infra import contract
from llm_infra.clouds import CLOUDS
from tests.infra import programs
from tests.infra.emulation import outputs, sdk
from tests.infra.programs import Recorded, Registered

STACKS = [(cloud, stack) for cloud in CLOUDS for stack in ("dev", "prod")]
#: What tags are called; a notification channel's ``labels`` are something else.
TAG_KEYS = {"aws": ("tags",), "azure-native": ("tags",), "gcp": ("userLabels", "resourceLabels", "labels")}


@pytest.fixture(params=STACKS, ids=["-".join(stack) for stack in STACKS])
def recorded(request: pytest.FixtureRequest) -> Recorded:
    return programs.as_shipped(*request.param)


@pytest.fixture(params=CLOUDS)
def dev(request: pytest.FixtureRequest) -> Recorded:
    return programs.as_shipped(request.param, "dev")


def taggable(recorded: Recorded) -> Iterator[tuple[Registered, str]]:
    for resource in recorded.resources:
        package = resource.type.split(":")[0]
        if not resource.custom or package not in ("aws", "gcp", "azure-native"):
            continue
        args = sdk.package(package).arguments(resource.type)
        assert args is not None
        keys = [key for key in TAG_KEYS[package] if key in sdk.properties(args)]
        if keys:
            yield resource, keys[0]


def test_every_resource_is_in_a_component_of_its_own_package(recorded: Recorded) -> None:
    by_urn = {resource.urn: resource for resource in recorded.resources}
    orphans = []
    for resource in recorded.resources:
        if resource.type != "pulumi:pulumi:Stack" and by_urn[resource.parent].type == "pulumi:pulumi:Stack":
            orphans.append(resource.type)
        assert resource.custom or resource.type.startswith(("llm-platform:index:", "pulumi:pulumi:Stack"))
    assert [kind.removeprefix("llm-platform:index:") for kind in orphans] in (
        ["AwsPlatform"],
        ["GcpPlatform"],
        ["AzurePlatform"],
    )


def test_every_component_registers_outputs(recorded: Recorded) -> None:
    for resource in recorded.resources:
        if resource.type.startswith("llm-platform:index:"):
            assert recorded.outputs.get(resource.urn), resource.urn


def test_whatever_can_carry_tags_carries_ours(recorded: Recorded) -> None:
    seen = 0
    for resource, key in taggable(recorded):
        tags = resource.inputs.get(key) or {}
        assert {"project", "environment", "cluster", "managed-by"} <= set(tags), (resource.type, resource.name, key)
        seen += 1
    assert seen > 5


def test_no_two_resources_have_one_urn(recorded: Recorded) -> None:
    urns = [resource.urn for resource in recorded.resources if "pulumi:Stack" not in resource.type]
    assert len(urns) == len(set(urns))


def test_gate_keys_are_secret_wherever_they_go(recorded: Recorded) -> None:
    assert recorded.secret_stack_outputs == {"gateKeys"}
    keys = set(recorded.stack_outputs["gateKeys"].values())
    assert len(keys) == 2
    found = 0
    for resource in recorded.resources:
        for path, value in flattened(resource.inputs):
            if any(key in str(value) for key in keys):
                assert any(path.startswith(secret) for secret in resource.secrets), (resource.urn, path)
                found += 1
    assert found >= 2
    plain = {key: value for key, value in recorded.stack_outputs.items() if key != "gateKeys"}
    assert not any(key in json.dumps(plain) for key in keys)


def flattened(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flattened(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            yield from flattened(item, f"{path}[]")
    else:
        yield path, value


def test_the_outputs_are_the_same_ones_on_each_cloud(recorded: Recorded) -> None:
    assert set(recorded.stack_outputs) == {
        "cluster",
        "kubeconfig",
        "registryUrl",
        "nameServers",
        "hosts",
        "routerFragment",
        "gateKeys",
        "monthlyEstimate",
    }
    hosts = recorded.stack_outputs["hosts"]
    assert set(recorded.stack_outputs["nameServers"]) == set(hosts.values())
    fragment = recorded.stack_outputs["routerFragment"]
    assert {cluster["endpoint"] for cluster in fragment["clusters"]} == {f"https://{host}" for host in hosts.values()}


def test_the_kubeconfig_holds_no_secret(recorded: Recorded) -> None:
    (user,) = json.loads(recorded.stack_outputs["kubeconfig"])["users"]
    assert set(user["user"]) == {"exec"}


def test_prod_is_protected_and_dev_can_go(recorded: Recorded) -> None:
    (cluster,) = [
        resource
        for kind in ("eks/cluster:Cluster", "container/cluster:Cluster", ":ManagedCluster")
        for resource in recorded.of(kind)
    ]
    production = recorded.stack == "prod"
    assert cluster.options["protect"] is production
    if "azure" not in cluster.type:
        assert cluster.inputs["deletionProtection"] is production


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_azure_locks_what_stays_as_long_as_clusters_and_zones_do(stack: str) -> None:
    """A lock of more than that would keep records from external-dns and old pools from their replacement."""
    recorded = programs.as_shipped("azure", stack)
    locks = [
        (lock.inputs["level"], lock.inputs["scope"].split("/", 6)[-1]) for lock in recorded.of(":ManagementLockByScope")
    ]
    assert sorted(locks) == [
        ("CanNotDelete", "Microsoft.containerservice/ManagedCluster/llm-prod/agentPools/system"),
        ("CanNotDelete", "Microsoft.dns/Zone/azure-gpu.llm.example.com/SOA/@"),
        ("CanNotDelete", "Microsoft.dns/Zone/azure.llm.example.com/SOA/@"),
    ] * (stack == "prod")


def test_keys_reach_the_cluster_by_one_way_only(recorded: Recorded) -> None:
    """dev: Pulumi writes the Secrets; prod: external-secrets brings them from the cloud's store."""
    secrets = [s.inputs["metadata"]["name"] for s in recorded.of("kubernetes:core/v1:Secret")]
    gates = [name for name in secrets if name.endswith("-gate")]
    assert len(gates) == (0 if recorded.stack == "prod" else 2)
    assert "in-cluster" in secrets
    annotations = recorded.one("kubernetes:core/v1:Secret", "cluster-secret").inputs["metadata"]["annotations"]
    assert annotations["gate_key_delivery"] == ("external-secrets" if recorded.stack == "prod" else "kubernetes")


def test_a_gate_secret_has_two_keys_with_their_ids(dev: Recorded) -> None:
    (secret, _) = sorted(
        (s for s in dev.of("kubernetes:core/v1:Secret") if s.inputs["metadata"]["name"].endswith("-gate")),
        key=lambda s: len(s.inputs["metadata"]["name"]),
    )
    data = secret.inputs["stringData"]
    pool = secret.inputs["metadata"]["name"].removesuffix("-gate")
    assert tuple(sorted(data)) == tuple(sorted(contract.GATE_SECRET_ENTRIES))
    assert (data["current-id"], data["next-id"]) == (f"{pool}.1", f"{pool}.2")
    assert data["current"] != data["next"]
    assert secret.inputs["metadata"]["namespace"] == "llm"


def test_what_is_in_the_cluster_goes_with_the_cluster_but_the_root(dev: Recorded) -> None:
    """The root Application is deleted for real, so that Argo CD takes down load balancers and volumes first."""
    for resource in dev.resources:
        if resource.type.startswith("kubernetes:"):
            is_root = resource.inputs.get("metadata", {}).get("name") == "root"
            assert bool(resource.options["deleted_with"]) is not is_root, resource.urn
    root = next(r for r in dev.of(":Application") if r.inputs["metadata"]["name"] == "root")
    assert root.inputs["metadata"]["finalizers"] == ["resources-finalizer.argocd.argoproj.io"]
    assert any("Release" in urn for urn in root.depends_on)


def test_what_is_in_a_key_vault_goes_with_the_vault() -> None:
    """Deleted one by one it would be refused: that takes roles in the vault, which nobody who deploys has."""
    production = programs.as_shipped("azure", "prod")
    vaults = {vault.parent: vault.urn for vault in production.of("keyvault:Vault")}
    held = [*production.of("keyvault:Key"), *production.of("keyvault:Secret")]
    assert {thing.parent for thing in held} == set(vaults)
    for thing in held:
        assert thing.options["deleted_with"] == vaults[thing.parent], thing.urn


def test_a_pool_that_goes_leaves_its_keys_in_the_vault() -> None:
    """Deleting them takes a role in the vault, and their names would be taken for 90 days."""
    without = programs.run("azure", "prod", {"llm-azure:gpu": False})
    assert set(without.stack_outputs["gateKeys"]) == {"azure-gate-key"}
    assert [secret.name for secret in without.of("keyvault:Secret")] == [
        secret.name for secret in programs.as_shipped("azure", "prod").of("keyvault:Secret")
    ]


def test_the_key_of_kubernetes_secrets_is_protected_like_the_cluster() -> None:
    production = programs.as_shipped("azure", "prod")
    (key,) = production.of("keyvault:Key")
    (vault,) = [vault for vault in production.of("keyvault:Vault") if vault.urn == key.options["deleted_with"]]
    assert key.options["protect"]
    assert vault.options["protect"]


def test_nothing_of_argo_cd_is_reached_unless_a_policy_says_so(recorded: Recorded) -> None:
    """Its parts trust who reaches them. The chart's policies, which open what the parts need, come after this one."""
    (closed,) = recorded.of(":NetworkPolicy")
    assert closed.inputs["metadata"]["namespace"] == "argocd"
    assert closed.inputs["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    (release,) = recorded.of("helm.sh/v3:Release")
    assert closed.urn in release.depends_on


def test_argo_cd_may_do_no_more_than_it_has_to(dev: Recorded) -> None:
    projects = {p.inputs["metadata"]["name"]: p.inputs["spec"] for p in dev.of(":AppProject")}
    assert set(projects) == {"bootstrap", "platform", "workloads"}
    for name, spec in projects.items():
        assert "*" not in json.dumps(spec), name
        namespaces = {destination["namespace"] for destination in spec["destinations"]}
        assert ("argocd" in namespaces) is (name == "bootstrap")
    assert projects["bootstrap"]["clusterResourceWhitelist"] == []
    assert projects["workloads"]["clusterResourceWhitelist"] == []


#: Cluster-wide kinds that charts of others make with the platform's values. Rendered by hand, since nothing here has
#: those charts: cert-manager 1.21.2, Envoy Gateway 1.9.1, external-secrets 1.3.1, external-dns 1.22.0.
MADE_BY_CHARTS = {
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
}


def test_the_platform_may_make_what_its_charts_make_for_the_whole_cluster(dev: Recorded) -> None:
    (project,) = [p for p in dev.of(":AppProject") if p.inputs["metadata"]["name"] == "platform"]
    allowed = {(entry["group"], entry["kind"]) for entry in project.inputs["spec"]["clusterResourceWhitelist"]}
    assert allowed >= MADE_BY_CHARTS


def test_namespaces_say_what_their_pods_may(dev: Recorded) -> None:
    levels = {
        n.inputs["metadata"]["name"]: n.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for n in dev.of(":Namespace")
    }
    assert levels == {"argocd": "baseline", "platform": "privileged", "llm": "restricted", "llm-router": "restricted"}


def test_git_learns_what_was_made(dev: Recorded) -> None:
    metadata = dev.one("kubernetes:core/v1:Secret", "cluster-secret").inputs["metadata"]
    assert metadata["labels"]["argocd.argoproj.io/secret-type"] == "cluster"
    annotations = metadata["annotations"]
    assert all(isinstance(value, str) and value for value in annotations.values()), annotations
    assert annotations["registry_url"] == dev.stack_outputs["registryUrl"]
    assert annotations["cpu_host"] == dev.stack_outputs["hosts"]["cpu"]


def test_the_kubernetes_api_of_azure_lets_its_own_nodes_in() -> None:
    """Behind NAT they come from an address that is on no list of the operator's."""
    cluster = programs.as_shipped("azure", "prod").one(":ManagedCluster").inputs
    assert cluster["apiServerAccessProfile"]["authorizedIPRanges"] == ["203.0.113.0/24", "198.51.100.7/32"]
    assert cluster["networkProfile"]["outboundType"] == "userAssignedNATGateway"


def test_everything_in_the_cluster_waits_for_nodes(dev: Recorded) -> None:
    (provider,) = dev.of("pulumi:providers:kubernetes")
    assert any("ool" in urn or "nodeGroup" in urn for urn in provider.depends_on)


def test_who_names_no_project_of_google_cloud_is_told_how() -> None:
    with pytest.raises(pulumi.ConfigMissingError, match="pulumi config set gcp:project"):
        programs.run("gcp", "dev", {"gcp:project": None})


def test_zones_that_eks_cannot_use_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Local Zones nor those where it has no control plane; their names differ from account to account."""
    whole = "opt-in-not-required"
    zones = (
        ("us-east-1-bos-1a", "use1-bos1-az1", "opted-in"),
        ("us-east-1a", "use1-az3", whole),
        ("us-east-1b", "use1-az1", whole),
        ("us-east-1c", "use1-az2", whole),
    )
    monkeypatch.setattr(outputs, "ZONES", zones)
    subnets = programs.run("aws", "dev").of("ec2/subnet:Subnet")
    assert {subnet.inputs["availabilityZone"] for subnet in subnets} == {"us-east-1b", "us-east-1c"}


def test_a_zone_that_aws_does_not_offer_is_told_with_those_that_it_does() -> None:
    with pytest.raises(pulumi.RunError, match=r"AWS has no us-west-2d for this account: choose from us-west-2a, us-"):
        programs.run("aws", "dev", {"llm-aws:zones": ["us-west-2a", "us-west-2d"]})
