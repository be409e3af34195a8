"""The platform: pinned components in waves, each where its project lets it, and what ties them together."""

from __future__ import annotations

import json
import re
from typing import Any

import helm_python as helm
import pytest

from llm_infra.clouds import CLOUDS, Cloud
from llm_infra.contract import CONTRACTS, PLATFORM_NAMESPACE, WORKLOAD_NAMESPACE
from llm_infra.services.argocd import CHART_REPOSITORIES
from tests.charts.deployed import PLATFORM
from tests.charts.helm import Object, Objects, annotations_of, render
from tests.charts.pools import on


def part(cloud: str, name: str, *values: dict[str, Any]) -> Objects:
    return render("platform", PLATFORM[cloud], {"part": name}, *values, release="platform", namespace="argocd")


def applications(cloud: str, *values: dict[str, Any]) -> dict[str, Object]:
    return {each["metadata"]["name"]: each for each in part(cloud, "applications", *values).of("Application")}


def wave(application: Object) -> int:
    return int(annotations_of(application)["argocd.argoproj.io/sync-wave"])


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_component_is_pinned_and_comes_from_where_the_project_allows(cloud: Cloud) -> None:
    for name, application in applications(cloud).items():
        source = application["spec"]["source"]
        assert application["spec"]["project"] == "platform"
        if name == "platform-resources":
            continue
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", source["targetRevision"])
        assert source["repoURL"] in CHART_REPOSITORIES


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_uses_a_component_comes_after_it(cloud: Cloud) -> None:
    found = applications(cloud)
    last = found.pop("platform-resources")
    assert all(wave(each) < wave(last) for each in found.values())
    assert last["spec"]["source"]["helm"]["valuesObject"]["part"] == "resources"
    assert wave(found["cert-manager"]) > wave(found["kube-prometheus-stack"]), "it makes a PodMonitor"


@pytest.mark.parametrize("there", [True, False])
def test_prometheus_learns_when_certificates_end_where_there_is_one(there: bool) -> None:
    values = applications("aws", {"components": {"kubePrometheusStack": {"enabled": there}}})["cert-manager"]
    scraped = values["spec"]["source"]["helm"]["valuesObject"]["prometheus"]
    assert scraped == {"enabled": True, "podmonitor": {"enabled": there, "honorLabels": True}}


def test_keda_reads_no_secret_of_what_it_scales() -> None:
    values = applications("aws")["keda"]["spec"]["source"]["helm"]["valuesObject"]
    assert [values["permissions"][part]["restrict"]["secret"] for part in ("operator", "metricServer")] == [True, True]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_deleting_the_platform_deletes_what_it_made(cloud: Cloud) -> None:
    for each in applications(cloud).values():
        assert each["metadata"]["finalizers"] == ["resources-finalizer.argocd.argoproj.io"]
        assert "ServerSideApply=true" in each["spec"]["syncPolicy"]["syncOptions"]


def test_the_device_plugin_runs_on_gpu_nodes_whatever_keeps_others_off() -> None:
    clouds: tuple[Cloud, ...] = ("aws", "azure")
    for cloud in clouds:
        values = applications(cloud)["nvidia-device-plugin"]["spec"]["source"]["helm"]["valuesObject"]
        tolerated = {each["key"] for each in values["tolerations"]}
        assert {taint.key for taint in CONTRACTS[cloud].gpu.taints} <= tolerated
        assert values["nodeSelector"].items() <= CONTRACTS[cloud].gpu.labels.items()
        # Its chart's affinity, which an empty map would leave in force, wants labels that no node of ours has.
        ((wanted,),) = [
            term["matchExpressions"]
            for term in values["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
                "nodeSelectorTerms"
            ]
        ]
        assert CONTRACTS[cloud].gpu.labels[wanted["key"]] in wanted["values"]
    assert "nvidia-device-plugin" not in applications("gcp")


@pytest.mark.parametrize(
    ("cloud", "annotation"),
    [("aws", None), ("gcp", "iam.gke.io/gcp-service-account"), ("azure", "azure.workload.identity/client-id")],
)
def test_accounts_name_their_identity_as_the_cloud_wants_it(cloud: Cloud, annotation: str | None) -> None:
    for name, identity in (("external-dns", "dns@example.com"), ("external-secrets", "secrets@example.com")):
        account = applications(cloud)[name]["spec"]["source"]["helm"]["valuesObject"]["serviceAccount"]
        assert account == {"name": name, "annotations": {annotation: identity} if annotation else {}}
    assert CONTRACTS[cloud].identity_annotation == (annotation or "")


def test_external_dns_finds_its_account_on_azure_in_a_file_without_a_secret() -> None:
    found = {
        cloud: applications(cloud)["external-dns"]["spec"]["source"]["helm"]["valuesObject"]["secretConfiguration"]
        for cloud in CLOUDS
    }
    assert json.loads(found["azure"].pop("data")["azure.json"]) == {
        "tenantId": "tenant",
        "subscriptionId": "subscription",
        "resourceGroup": "group",
        "useWorkloadIdentityExtension": True,
    }
    assert found == {"aws": {}, "gcp": {}, "azure": {"enabled": True, "mountPath": "/etc/kubernetes"}}


def test_a_retired_controller_is_installed_only_by_who_says_that_he_knows() -> None:
    retired = {"components": {"ingressNginx": {"enabled": True}}}
    with pytest.raises(helm.HelmError, match="retired in March 2026"):
        applications("aws", retired)
    known = {"components": {"ingressNginx": {"enabled": True, "iKnowItIsRetired": True}}}
    source = applications("aws", known)["ingress-nginx"]["spec"]["source"]
    assert source["helm"]["valuesObject"]["controller"]["allowSnippetAnnotations"] is False
    assert source["repoURL"] in CHART_REPOSITORIES
    assert "ingress-nginx" not in applications("aws")


def test_a_version_is_one_version() -> None:
    for version in ("1.x", ">=1.0.0", "latest", ""):
        with pytest.raises(helm.HelmValuesError):
            applications("aws", {"components": {"keda": {"version": version}}})


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_gateway_has_a_listener_for_every_host_that_the_stack_names(cloud: Cloud) -> None:
    gateway = part(cloud, "resources").one("Gateway")
    hosts = {each.get("hostname") for each in gateway["spec"]["listeners"]} - {None}
    gates = {f"{cloud}.llm.example.com", f"{cloud}-gpu.llm.example.com"}
    assert hosts == gates | {"router.llm.example.com"}
    without = part(cloud, "resources", {"routerHost": ""}).one("Gateway")["spec"]["listeners"]
    assert {each.get("hostname") for each in without} - {None} == gates
    assert {on(cloud, kind)["host"] for kind in ("cpu", "gpu")} <= hosts
    assert gateway["spec"]["gatewayClassName"] == CONTRACTS[cloud].gateway_class
    route = render("llm-server", on(cloud, "cpu"), {"route": {"enabled": True}}).one("HTTPRoute")
    parent = route["spec"]["parentRefs"][0]
    assert (parent["name"], parent["namespace"]) == (gateway["metadata"]["name"], PLATFORM_NAMESPACE)


def test_clients_of_the_gates_need_certificates_where_a_ca_is_named_and_the_routers_callers_do_not() -> None:
    policy = part("aws", "resources").one("ClientTrafficPolicy")["spec"]
    assert {each["sectionName"] for each in policy["targetRefs"]} == {"aws", "aws-gpu"}
    assert part("aws", "resources", {"gateway": {"clientCa": ""}}).of("ClientTrafficPolicy") == []


@pytest.mark.parametrize(("cloud", "provider"), [("aws", "aws"), ("gcp", "gcpsm"), ("azure", "azurekv")])
def test_gate_keys_come_from_the_clouds_own_store(cloud: Cloud, provider: str) -> None:
    store = part(cloud, "resources").one("ClusterSecretStore")
    assert set(store["spec"]["provider"]) == {provider}
    assert WORKLOAD_NAMESPACE in store["spec"]["conditions"][0]["namespaces"]
    keys = {"gate": {"keys": {"external": {"enabled": True}}}}
    secret = render("llm-server", on(cloud, "cpu"), keys).one("ExternalSecret")
    assert secret["spec"]["secretStoreRef"]["name"] == store["metadata"]["name"]


def test_the_exporters_account_may_count_nodes() -> None:
    objects = part("gcp", "resources")
    assert objects.one("ClusterRole")["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]
    subject = objects.one("ClusterRoleBinding")["subjects"][0]
    assert (subject["name"], subject["namespace"]) == ("exporter", WORKLOAD_NAMESPACE)
