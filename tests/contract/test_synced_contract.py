"""Pulumi's half and Git's half of a cluster fit: what Argo CD syncs finds what the stack made, by its very name."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from llm_infra.clouds import CLOUDS, Cloud
from llm_infra.contract import CONTRACTS, GATE_SECRET_ENTRIES, GPU_RESOURCE
from tests.charts.helm import ROOT, Object, Objects, containers, pod_spec, render
from tests.contract.synced import DIGEST, Synced, synced
from tests.gitops.nodes import MACHINES
from tests.infra import programs
from tests.infra.nodes import nodes, schedules
from tests.infra.programs import Recorded

pytestmark = pytest.mark.slow

KINDS = ("cpu", "gpu")
STACKS = [(cloud, stack) for cloud in CLOUDS for stack in ("dev", "prod")]
every_stack = pytest.mark.parametrize(("cloud", "stack"), STACKS)
every_cloud = pytest.mark.parametrize("cloud", CLOUDS)
ROUTER_HOST = "router.llm.example.com"


def of_stack(cloud: str, stack: str = "dev") -> dict[str, Synced]:
    return synced(programs.as_shipped(cloud, stack))


def server(applications: dict[str, Synced], kind: str) -> Object:
    """The pod of the pool's model servers."""
    (found,) = [
        spec
        for each in applications[f"pool-{kind}"].objects()
        if each["kind"] in ("Deployment", "StatefulSet") and (spec := pod_spec(each))
    ]
    return found


def platform_of(applications: dict[str, Synced]) -> dict[str, Object]:
    return {each["metadata"]["name"]: each["spec"] for each in applications["platform"].objects()}


def resources_of(applications: dict[str, Synced]) -> Objects:
    return render("platform", applications["platform"].values, {"part": "resources"}, namespace="platform")


@every_stack
def test_the_root_application_finds_an_overlay_with_a_pool_for_every_node_pool(cloud: str, stack: str) -> None:
    recorded = programs.as_shipped(cloud, stack)
    assert (ROOT / recorded.one(":Application", "root").inputs["spec"]["source"]["path"]).is_dir()
    assert set(synced(recorded)) == {"platform", "exporter-cpu", "pool-cpu", "exporter-gpu", "pool-gpu"}


@every_cloud
@pytest.mark.parametrize("ca", ["", "router-ca"])
def test_git_says_whether_gateways_ask_for_client_certificates(cloud: str, ca: str) -> None:
    applications = synced(programs.as_shipped(cloud, "prod"), gatewayClientCa=ca)
    asked = [
        each["spec"]["tls"]["clientValidation"]["caCertificateRefs"][0]["name"]
        for each in resources_of(applications)
        if each["kind"] == "ClientTrafficPolicy"
    ]
    assert asked == ([ca] if ca else [])


@every_cloud
def test_a_stack_without_gpus_syncs_no_pool_of_them(cloud: str) -> None:
    recorded = programs.run(cloud, "dev", {f"llm-{cloud}:gpu": False})
    assert set(synced(recorded)) == {"platform", "exporter-cpu", "pool-cpu"}


@every_stack
def test_each_pod_lands_on_its_node_pool_and_on_no_other(cloud: Cloud, stack: str) -> None:
    pools = {kind: nodes(cloud, kind, stack) for kind in KINDS}
    applications = of_stack(cloud, stack)
    for kind in KINDS:
        assert {name for name, pool in pools.items() if schedules(server(applications, kind), pool)} == {kind}
        for spec in applications[f"exporter-{kind}"].objects().pod_specs():
            assert {name for name, pool in pools.items() if schedules(spec, pool)} == {"cpu"}


@every_cloud
def test_a_node_has_room_for_its_pod(cloud: Cloud) -> None:
    """Beside what every node runs: half a core and half a GiB are left for DaemonSets."""
    applications = of_stack(cloud)
    for kind in KINDS:
        machine, cpu, memory = MACHINES[cloud, kind]
        assert nodes(cloud, kind)["machine"] == machine
        asked = [each["resources"] for each in containers(server(applications, kind)).values()]
        assert sum(amount(each["requests"]["cpu"]) for each in asked) <= amount(cpu) - 0.5
        assert sum(amount(each["requests"]["memory"]) for each in asked) <= amount(memory) - 2**29
        gpus = sum(each["limits"].get(GPU_RESOURCE, 0) for each in asked)
        assert gpus == (1 if kind == "gpu" else 0)


def amount(text: str) -> float:
    """A quantity of Kubernetes."""
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text)).groups()  # type: ignore[union-attr]
    return float(number) * {"": 1.0, "m": 1e-3, "Mi": 2.0**20, "Gi": 2.0**30}[unit]


@every_cloud
def test_pods_serve_what_the_router_is_told_of(cloud: str) -> None:
    given = {"gpuModel": "llama-2-7b-chat", "gpuContextLength": 2048, "gpuSlots": 3}
    recorded = programs.run(cloud, "dev", {f"llm-{cloud}:{key}": value for key, value in given.items()})
    (told,) = (c for c in recorded.stack_outputs["routerFragment"]["clusters"] if c["name"] == f"{cloud}-gpu")
    (model,) = told["models"]
    assert (model["name"], model["contextLength"], told["capacity"]["slots"]) == tuple(given.values())
    arguments = containers(server(synced(recorded), "gpu"))["llama"]["args"]
    served = {name: arguments[arguments.index(name) + 1] for name in ("--alias", "--ctx-size", "--parallel")}
    assert served == {"--alias": "llama-2-7b-chat", "--ctx-size": str(3 * 2048), "--parallel": "3"}


@every_cloud
def test_keys_are_looked_for_where_the_stack_put_them(cloud: str) -> None:
    recorded = programs.as_shipped(cloud, "prod")
    kind, name = {
        "aws": ("secretsmanager/secret:Secret", "name"),
        "gcp": ("secretmanager/secret:Secret", "secretId"),
        "azure": ("keyvault:Secret", "secretName"),
    }[cloud]
    kept = {each.inputs[name] for each in recorded.of(kind)}
    applications = synced(recorded)
    asked = [applications[f"pool-{kind}"].objects().one("ExternalSecret")["spec"] for kind in KINDS]
    assert {each["remoteRef"]["key"] for spec in asked for each in spec["data"]} == kept
    for spec in asked:
        assert tuple(each["remoteRef"]["property"] for each in spec["data"]) == GATE_SECRET_ENTRIES
    store = resources_of(applications).one("ClusterSecretStore")
    assert {spec["secretStoreRef"]["name"] for spec in asked} == {store["metadata"]["name"]}


@every_stack
def test_the_gates_answer_for_the_hosts_that_the_router_is_told(cloud: str, stack: str) -> None:
    recorded = programs.as_shipped(cloud, stack)
    applications = synced(recorded)
    listeners = {each.get("hostname") for each in resources_of(applications).one("Gateway")["spec"]["listeners"]}
    assert listeners - {None} == set(recorded.stack_outputs["hosts"].values())
    assert listeners - {None} == set(recorded.stack_outputs["nameServers"]), "a zone each"
    for kind, cluster in zip(KINDS, recorded.stack_outputs["routerFragment"]["clusters"], strict=True):
        objects = applications[f"pool-{kind}"].objects()
        (host,) = objects.one("HTTPRoute")["spec"]["hostnames"]
        assert cluster["endpoint"] == f"https://{host}"
        values = applications[f"pool-{kind}"].values
        assert [values["model"]["name"]] == [model["name"] for model in cluster["models"]]
        assert objects.one("ScaledObject")["spec"]["maxReplicaCount"] == cluster["scaling"]["maxNodes"]
        assert values["pool"]["region"] == cluster["region"]


@every_cloud
def test_cloud_identities_are_those_of_accounts_that_are_synced(cloud: str) -> None:
    recorded = programs.as_shipped(cloud, "dev")
    applications = synced(recorded)
    there = {
        f"{spec['destination']['namespace']}/{account['name']}"
        for spec in platform_of(applications).values()
        if (account := spec["source"]["helm"]["valuesObject"].get("serviceAccount"))
    }
    there |= {f"llm/{each['metadata']['name']}" for each in applications["exporter-cpu"].objects().of("ServiceAccount")}
    autoscaler = [each.inputs["spec"] for each in recorded.of(":Application") if "autoscaler" in each.name]
    there |= {
        f"{spec['destination']['namespace']}/{spec['source']['helm']['valuesObject']['rbac']['serviceAccount']['name']}"
        for spec in autoscaler
    }
    # Of an add-on of EKS' own.
    assert trusted(cloud, recorded) - {"kube-system/ebs-csi-controller-sa"} <= there


def trusted(cloud: str, recorded: Recorded) -> set[str]:
    """namespace/account that may act as an identity of the cloud."""
    if cloud == "aws":
        found = [each.inputs for each in recorded.of(":PodIdentityAssociation")]
        return {f"{each['namespace']}/{each['serviceAccount']}" for each in found}
    if cloud == "gcp":
        members = [each.inputs["member"] for each in recorded.of("serviceaccount/iAMMember:IAMMember")]
        return {member.rsplit("[", 1)[1].rstrip("]") for member in members}
    subjects = [each.inputs["subject"] for each in recorded.of(":FederatedIdentityCredential")]
    return {subject.removeprefix("system:serviceaccount:").replace(":", "/") for subject in subjects}


@every_cloud
def test_external_dns_may_list_the_zones_among_which_it_finds_ours(cloud: str) -> None:
    recorded = programs.as_shipped(cloud, "dev")
    if cloud == "aws":
        (policy,) = [each.inputs["policy"] for each in recorded.of("rolePolicy:RolePolicy") if "dns" in each.name]
        assert "route53:ListHostedZones" in policy
    elif cloud == "gcp":
        reader = recorded.one("projects/iAMMember:IAMMember", "dns")
        assert reader.inputs["role"] == "roles/dns.reader"
    else:
        reader = recorded.one(":RoleAssignment", "dns-reader")
        group = recorded.one(":ResourceGroup")
        assert reader.inputs["scope"].endswith(f"/resourceGroups/{group.inputs['resourceGroupName']}")
        file = platform_of(synced(recorded))["external-dns"]["source"]["helm"]["valuesObject"]["secretConfiguration"]
        told = yaml.safe_load(file["data"]["azure.json"])
        assert all(told.values()), told


@every_stack
def test_each_project_lets_its_applications_make_what_they_make(cloud: str, stack: str) -> None:
    recorded = programs.as_shipped(cloud, stack)
    projects = {each.inputs["metadata"]["name"]: each.inputs["spec"] for each in recorded.of(":AppProject")}
    made = {each.inputs["metadata"]["name"] for each in recorded.of(":Namespace")} | {"kube-system"}
    applications = synced(recorded)
    for each in applications.values():
        permits(projects[each.project], each.namespace, each.objects())
        assert each.namespace in made
    permits(projects["platform"], "platform", resources_of(applications))
    for spec in platform_of(applications).values():
        project = projects[spec["project"]]
        assert spec["source"]["repoURL"] in project["sourceRepos"]
        assert spec["destination"]["namespace"] in {each["namespace"] for each in project["destinations"]} & made


def permits(project: dict[str, Any], namespace: str, objects: Objects) -> None:
    assert namespace in {each["namespace"] for each in project["destinations"]}
    cluster_wide = {(each["group"], each["kind"]) for each in project["clusterResourceWhitelist"]}
    for each in objects:
        group = each["apiVersion"].rpartition("/")[0]
        if each["kind"].startswith("Cluster") or each["kind"] in ("GatewayClass", "Namespace", "StorageClass"):
            assert (group, each["kind"]) in cluster_wide
        else:
            assert each["metadata"].get("namespace", namespace) == namespace


@every_cloud
def test_volumes_are_of_a_storage_class_that_is_there(cloud: Cloud) -> None:
    applications = of_stack(cloud)
    (claim,) = applications["pool-gpu"].objects().one("StatefulSet")["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == CONTRACTS[cloud].storage_class
    made = [each.inputs["metadata"]["name"] for each in programs.as_shipped(cloud, "dev").of(":StorageClass")]
    # The other two bring theirs.
    assert made == (["gp3"] if cloud == "aws" else [])


@every_cloud
def test_images_come_from_the_stacks_own_registry(cloud: str) -> None:
    recorded = programs.as_shipped(cloud, "dev")
    image = containers(server(synced(recorded), "cpu"))["gate"]["image"]
    repository, digest = image.split("@")
    assert repository.split(":")[0] == f"{recorded.stack_outputs['registryUrl']}/llm-router"
    assert digest == DIGEST
    if cloud == "aws":
        # The others' registries take any name.
        repositories = {each.inputs["name"] for each in recorded.of("ecr/repository:Repository")}
        assert any(repository.split(":")[0].endswith(f"/{name}") for name in repositories)


@every_cloud
def test_the_cluster_that_runs_the_router_has_its_zone_and_its_listener(cloud: str) -> None:
    without = resources_of(of_stack(cloud)).one("Gateway")["spec"]["listeners"]
    assert "router" not in {each["name"] for each in without}
    recorded = programs.run(cloud, "dev", {f"llm-{cloud}:routerHost": ROUTER_HOST})
    listeners = resources_of(synced(recorded)).one("Gateway")["spec"]["listeners"]
    assert ROUTER_HOST in {each.get("hostname") for each in listeners}
    assert ROUTER_HOST in recorded.stack_outputs["nameServers"]
