"""The charts on a real control plane: accepted, scheduled, scaled, drained, on nodes like each cloud's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import helm_python as helm
import pytest

from llm_infra.clouds import CLOUDS, Cloud
from tests.charts.deployed import RELEASES, rendered
from tests.charts.helm import CHARTS, merged
from tests.charts.pools import MINIMAL, PLACES, on
from tests.gitops.control_plane import ControlPlane, Object
from tests.gitops.nodes import name_of, node

pytestmark = [pytest.mark.slow, pytest.mark.built, pytest.mark.timeout(300)]

NAMESPACE = "llm"


@contextmanager
def installed(plane: ControlPlane, release: str, *values: dict[str, Any]) -> Iterator[str]:
    """Installed by Helm, and uninstalled; yields the selector of its pods."""
    with helm.Config(kubeconfig_path=plane.api.kubeconfig, namespace=NAMESPACE) as config:
        config.install(CHARTS / "llm-server", release, merged(*values), namespace=NAMESPACE)
        try:
            yield f"app.kubernetes.io/instance={release}"
        finally:
            config.uninstall(release)
            plane.kubectl("delete", "pods", "-n", NAMESPACE, "-l", f"app.kubernetes.io/instance={release}", "--force")
            plane.kubectl("delete", "pvc", "--all", "-n", NAMESPACE)


def of(cloud: Cloud, kind: str, **changes: Any) -> dict[str, Any]:
    """That pool, kept to its cloud's nodes: here all clouds share one control plane."""
    return merged(on(cloud, kind), {"nodeSelector": {"test/cloud": cloud}}, changes)


def running(plane: ControlPlane, selector: str, count: int = 1) -> list[Object] | None:
    found = plane.pods(NAMESPACE, selector)
    ready = [pod for pod in found if pod["status"].get("phase") == "Running"]
    return ready if len(ready) == len(found) == count else None


def unscheduled(plane: ControlPlane, selector: str) -> str:
    """Why the scheduler found no node for one of the pods."""
    for pod in plane.pods(NAMESPACE, selector):
        for each in pod["status"].get("conditions", []):
            if each["type"] == "PodScheduled" and each["status"] == "False":
                return str(each.get("message", ""))
    return ""


def ready_addresses(plane: ControlPlane, service: str) -> set[str]:
    slices = plane.get("endpointslices", "", NAMESPACE, "-l", f"kubernetes.io/service-name={service}")["items"]
    return {
        address
        for part in slices
        for each in part["endpoints"] or ()
        if each["conditions"].get("ready")
        for address in each["addresses"]
    }


# ---------------------------------------------------------------- what the server accepts


@pytest.mark.parametrize("release", RELEASES)
def test_the_server_accepts_every_object_with_no_field_that_it_does_not_know(plane: ControlPlane, release: str) -> None:
    objects = [each for each in rendered(release) if "helm.sh/hook" not in (each["metadata"].get("annotations") or {})]
    namespace = {"router": "llm-router", "platform": "argocd"}.get(RELEASES[release][0], NAMESPACE)
    for each in objects:
        each["metadata"].setdefault("namespace", namespace)
    said = plane.apply(objects, "--dry-run=server", "--validate=strict", "--server-side")
    assert said.count("serverside-applied (server dry run)") == len(objects)


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        ("Deployment", {"spec": {"template": {"spec": {"tolerations": [{"operator": "Sometimes"}]}}}}, "Sometimes"),
        ("Deployment", {"spec": {"template": {"spec": {"hostNetwrk": True}}}}, "hostNetwrk"),
        ("NetworkPolicy", {"spec": {"policyTypes": ["Sideways"]}}, "Sideways"),
        ("Service", {"spec": {"ports": [{"port": 70000}]}}, "70000"),
    ],
)
def test_and_refuses_what_is_wrong(plane: ControlPlane, kind: str, change: dict[str, Any], told: str) -> None:
    broken = merged(rendered("llm-server-plain").one(kind), change, {"metadata": {"namespace": NAMESPACE}})
    said = plane.kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(broken), check=False
    )
    assert told in said


# ---------------------------------------------------------------- where pods land


@pytest.mark.parametrize(("cloud", "kind"), PLACES)
def test_a_pool_lands_on_its_own_nodes(plane: ControlPlane, cloud: Cloud, kind: str) -> None:
    with installed(plane, f"{cloud}-{kind}", of(cloud, kind)) as selector:
        pod = plane.wait("a running pod", lambda: running(plane, selector))[0]
        assert pod["spec"]["nodeName"].startswith(f"{cloud}-{kind}-")
        service = f"{cloud}-{kind}-llm-server"
        assert plane.wait("its endpoint", lambda: ready_addresses(plane, service)) == {pod["status"]["podIP"]}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_without_its_tolerations_a_gpu_pod_waits_for_ever(plane: ControlPlane, cloud: Cloud) -> None:
    with installed(plane, "untolerant", of(cloud, "gpu", tolerations=[])) as selector:
        assert "untolerated taint" in plane.wait("a reason", lambda: unscheduled(plane, selector))


def test_a_second_gpu_pod_waits_for_a_node_and_takes_it_when_it_comes(plane: ControlPlane) -> None:
    with installed(plane, "two", of("gcp", "gpu", replicas=2)) as selector:
        assert "Insufficient nvidia.com/gpu" in plane.wait("a reason", lambda: unscheduled(plane, selector))
        plane.apply([node("gcp", "gpu", 7)])
        try:
            pods = plane.wait("both pods", lambda: running(plane, selector, 2))
            assert {pod["spec"]["nodeName"] for pod in pods} == {"gcp-gpu-0", "gcp-gpu-7"}
        finally:
            plane.kubectl("delete", "node", "gcp-gpu-7")


def test_replicas_are_spread_over_zones(plane: ControlPlane) -> None:
    with installed(plane, "spread", of("aws", "cpu", replicas=2, resources={"requests": {"cpu": "100m"}})) as selector:
        pods = plane.wait("both pods", lambda: running(plane, selector, 2))
        assert {pod["spec"]["nodeName"] for pod in pods} == {"aws-cpu-0", "aws-cpu-1"}


def test_a_container_that_is_not_restricted_never_gets_into_the_namespace(plane: ControlPlane) -> None:
    spec = {"containers": [{"name": "root", "image": "busybox"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "root", "namespace": NAMESPACE}, "spec": spec}
    said = plane.kubectl("apply", "-f", "-", stdin=json.dumps(pod), check=False)
    assert "violates PodSecurity" in said


# ---------------------------------------------------------------- spot nodes


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_reclaimed_node_takes_its_pod_out_of_the_endpoints(plane: ControlPlane, cloud: Cloud) -> None:
    with installed(plane, "reclaimed", of(cloud, "gpu")) as selector:
        (pod,) = plane.wait("a running pod", lambda: running(plane, selector))
        assert plane.wait("its endpoint", lambda: ready_addresses(plane, "reclaimed-llm-server"))
        taint = "node/reclaimed=:NoExecute"
        plane.kubectl("taint", "node", name_of(cloud, "gpu"), taint)
        try:
            plane.wait("no endpoint", lambda: not ready_addresses(plane, "reclaimed-llm-server"))
            names = {each["metadata"]["name"] for each in plane.pods(NAMESPACE, selector)}
            assert pod["metadata"]["name"] not in names
            assert "untolerated taint" in plane.wait("a reason", lambda: unscheduled(plane, selector))
        finally:
            plane.kubectl("taint", "node", name_of(cloud, "gpu"), f"{taint}-")
        plane.wait("the pod on the node that came back", lambda: running(plane, selector))


def test_the_budget_lets_one_pod_go_at_a_time(plane: ControlPlane) -> None:
    values = of("azure", "cpu", replicas=2, resources={"requests": {"cpu": "100m"}})
    with installed(plane, "budget", values) as selector:
        first, second = plane.wait("both pods", lambda: running(plane, selector, 2))
        plane.wait(
            "a budget",
            lambda: plane.get("pdb", "budget-llm-server", NAMESPACE)["status"].get("disruptionsAllowed") == 1,
        )
        plane.kubectl("cordon", "azure-cpu-0", "azure-cpu-1")
        try:
            assert evict(plane, first) < 300
            plane.wait(
                "fewer",
                lambda: plane.get("pdb", "budget-llm-server", NAMESPACE)["status"].get("disruptionsAllowed") == 0,
            )
            assert evict(plane, second) == 429
        finally:
            plane.kubectl("uncordon", "azure-cpu-0", "azure-cpu-1")


def evict(plane: ControlPlane, pod: Object) -> int:
    """The status with which the server answers."""
    name = pod["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": NAMESPACE}}
    return plane.api.admin.post(f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/eviction", json=body).status_code


# ---------------------------------------------------------------- Helm


def test_an_upgrade_changes_the_model_and_a_refused_one_changes_nothing(plane: ControlPlane) -> None:
    values = of("gcp", "cpu")
    with installed(plane, "upgrade", values) as selector:
        plane.wait("a running pod", lambda: running(plane, selector))
        with helm.Config(kubeconfig_path=plane.api.kubeconfig, namespace=NAMESPACE) as config:
            other = merged(values, {"model": {"name": "qwen3-4b-instruct-2507"}})
            config.upgrade(CHARTS / "llm-server", "upgrade", other, namespace=NAMESPACE)

            def serves() -> bool:
                pods = running(plane, selector)
                return pods is not None and "qwen3-4b-instruct-2507" in str(pods[0]["spec"])

            plane.wait("the other model", serves)
            with pytest.raises(helm.HelmError):
                config.upgrade(CHARTS / "llm-server", "upgrade", merged(other, {"replicas": -1}), namespace=NAMESPACE)
            assert serves()


def test_a_pool_without_a_price_or_an_image_is_refused_before_the_server_hears_of_it(plane: ControlPlane) -> None:
    without = merged(MINIMAL, {"images": {"router": {"digest": ""}}})
    with helm.Config(kubeconfig_path=plane.api.kubeconfig, namespace=NAMESPACE) as config:
        with pytest.raises(helm.HelmError, match="digest"):
            config.install(CHARTS / "llm-server", "refused", without, namespace=NAMESPACE)
        assert "refused" not in str(config.list())
