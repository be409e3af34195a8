"""What holds of every object that any chart renders to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import helm_python as helm
import pytest
import yaml

from tests.charts.deployed import RELEASES, rendered
from tests.charts.helm import CHARTS, Object, containers, merged, pod_spec

DIGEST = re.compile(r"[a-z0-9][a-z0-9./:-]*(:[\w.-]+)?@sha256:[0-9a-f]{64}")
SECRET_WORDS = re.compile(r"(?i)\b(password|secret|token|api[-_]?key)\b\s*[:=]\s*[^\s${}\"'\[]{12,}")
BUILT_IN = {
    "v1",
    "apps/v1",
    "batch/v1",
    "autoscaling/v2",
    "policy/v1",
    "networking.k8s.io/v1",
    "rbac.authorization.k8s.io/v1",
}

every_release = pytest.mark.parametrize("release", RELEASES)


def pods(release: str) -> Iterator[tuple[Object, Object]]:
    for found in rendered(release):
        spec = pod_spec(found)
        if spec is not None:
            yield found, spec


@every_release
def test_images_are_named_by_digest(release: str) -> None:
    for found, spec in pods(release):
        for name, each in containers(spec).items():
            assert DIGEST.fullmatch(each["image"]), (found["metadata"]["name"], name)


def unrestricted(spec: Object) -> list[str]:
    """What a pod has that Pod Security's profile "restricted" forbids, or lacks that it demands, and a root that can be
    written to: https://kubernetes.io/docs/concepts/security/pod-security-standards/."""
    context = spec["securityContext"]
    demands = {
        "runAsNonRoot": context.get("runAsNonRoot") is True,
        "runAsUser": context.get("runAsUser", 0) >= 10000,
        "seccompProfile": context.get("seccompProfile") == {"type": "RuntimeDefault"},
        "host": not any(spec.get(host) for host in ("hostNetwork", "hostPID", "hostIPC")),
        "hostPath": not any("hostPath" in volume for volume in spec.get("volumes", [])),
    }
    for name, each in containers(spec).items():
        own = each["securityContext"]
        demands |= {
            f"{name}: allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            f"{name}: readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
            f"{name}: capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            f"{name}: hostPort": not any("hostPort" in port for port in each.get("ports", [])),
        }
    return [demand for demand, is_met in demands.items() if not is_met]


@every_release
def test_pods_meet_the_restricted_profile(release: str) -> None:
    for found, spec in pods(release):
        assert unrestricted(spec) == [], found["metadata"]["name"]


def test_a_pod_that_does_not_is_noticed() -> None:
    container = {"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}, "ports": [{"hostPort": 80}]}
    spec: Object = {"securityContext": {"runAsUser": 0}, "hostPID": True, "volumes": [{"hostPath": {"path": "/"}}]}
    assert len(unrestricted({**spec, "containers": [{"name": "a", **container}]})) == 9


@every_release
def test_pods_get_a_token_of_the_api_server_only_where_a_role_is_bound_to_their_account(release: str) -> None:
    bound = {
        subject["name"]
        for found in rendered(release)
        if found["kind"] in ("RoleBinding", "ClusterRoleBinding")
        for subject in found["subjects"]
    }
    for _, spec in pods(release):
        assert spec["automountServiceAccountToken"] is (spec.get("serviceAccountName") in bound)


@every_release
def test_names_and_labels_are_ones_that_kubernetes_takes(release: str) -> None:
    for found in rendered(release):
        metadata = found["metadata"]
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?", metadata["name"])
        for key, value in (metadata.get("labels") or {}).items():
            assert re.fullmatch(r"([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", key)
            assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", value), (key, value)
        assert all(isinstance(value, str) for value in (metadata.get("annotations") or {}).values())


@every_release
def test_nothing_secret_stands_in_what_is_rendered(release: str) -> None:
    objects = rendered(release)
    assert "Secret" not in objects.kinds()
    for found in objects:
        assert not SECRET_WORDS.search(yaml.safe_dump(found)), found["metadata"]["name"]


@every_release
def test_mounts_have_their_volume_and_volumes_their_mount(release: str) -> None:
    for found, spec in pods(release):
        claims = [each["metadata"]["name"] for each in found.get("spec", {}).get("volumeClaimTemplates", [])]
        volumes = {each["name"] for each in spec.get("volumes", [])} | set(claims)
        mounted = {mount["name"] for each in containers(spec).values() for mount in each.get("volumeMounts", [])}
        assert mounted == volumes


@every_release
def test_ports_that_are_named_exist(release: str) -> None:
    """Services, probes and monitors lead to ports by name; a name that no container has is silently nowhere."""
    objects = rendered(release)
    named = {
        port["name"] for spec in objects.pod_specs() for c in containers(spec).values() for port in c.get("ports", [])
    }
    asked = {port["targetPort"] for service in objects.of("Service") for port in service["spec"]["ports"]}
    for spec in objects.pod_specs():
        for each in containers(spec).values():
            asked |= {
                each[probe]["httpGet"]["port"]
                for probe in ("readinessProbe", "livenessProbe", "startupProbe")
                if "httpGet" in each.get(probe, {})
            }
    assert {port for port in asked if isinstance(port, str)} <= named


@every_release
def test_objects_are_of_versions_that_are_served(release: str) -> None:
    custom = {
        "keda.sh/v1alpha1",
        "monitoring.coreos.com/v1",
        "gateway.networking.k8s.io/v1",
        "cert-manager.io/v1",
        "external-secrets.io/v1",
        "generators.external-secrets.io/v1alpha1",
        "argoproj.io/v1alpha1",
        "gateway.envoyproxy.io/v1alpha1",
    }
    assert {found["apiVersion"] for found in rendered(release)} <= BUILT_IN | custom


@every_release
def test_helm_lints_it_strictly(release: str) -> None:
    name, values = RELEASES[release]
    report = helm.lint(CHARTS / name, merged(*values), strict=True)
    found: list[Any] = [each for each in report["messages"] if each["severity"] > 1]
    assert (found, report["errors"]) == ([], [])


@pytest.mark.parametrize("chart", sorted({name for name, _ in RELEASES.values()}))
def test_every_template_renders_to_something_in_some_release(chart: str) -> None:
    loaded = helm.Chart.load(CHARTS / chart)
    ways = [merged(*values) for name, values in RELEASES.values() if name == chart]
    said = {
        template
        for values in ways
        for template, text in loaded.render(values, name="pool", namespace="llm").items()
        if text.strip()
    }
    templates = {f"{chart}/{each['name']}" for each in loaded.templates if not each["name"].endswith(".tpl")}
    assert templates - said == set()
