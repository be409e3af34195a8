"""One `up` for each cloud, end to end: from `pulumi up` to serving pools, through what commits and people do, and back.

The cluster that each stack makes is a real control plane without nodes, its Argo CD the real one. What that syncs is
this checkout, from a Git server with TLS at the address in the stack's own configuration.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from llm_infra.clouds import CLOUDS
from tests.gitops.argo import DIGEST, NAMESPACE, ArgoCd
from tests.gitops.control_plane import Object
from tests.gitops.one_up import SIGN_IN, Ground, Stack, ground, up
from tests.infra.engine.cloud import Refusal
from tests.infra.engine.real_cluster import RealCluster

pytestmark = [pytest.mark.slow, pytest.mark.built, pytest.mark.timeout(400)]

CPU = {"platform", "platform-resources", "exporter-cpu", "pool-cpu"}
GPU = CPU | {"exporter-gpu", "pool-gpu"}
#: The last wave goes first.
DOWN = ("pool-gpu", "pool-cpu", "exporter-gpu", "exporter-cpu", "platform-resources", "platform", "root")
#: Those that the stack makes itself.
OWN = {"aws": {"root", "cluster-autoscaler"}, "gcp": {"root"}, "azure": {"root"}}


def on(*clouds: str) -> pytest.MarkDecorator:
    """One stack of the cloud for all tests of it, in this file's order."""
    return pytest.mark.parametrize("stack", clouds, indirect=True, scope="module")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("ground")) as made:
        yield made


@pytest.fixture(scope="module")
def stack(
    request: pytest.FixtureRequest, shared: Ground, tmp_path_factory: pytest.TempPathFactory, warm_python: Path
) -> Iterator[Stack]:
    """Up, and all of it healthy."""
    with up(request.param, shared, tmp_path_factory.mktemp(request.param), warm_python) as running:
        a_node_comes_for_a_pod_that_waits_for_one(running)
        running.argo.settled("root")
        yield running


def a_node_comes_for_a_pod_that_waits_for_one(stack: Stack) -> None:
    """Of the GPU pool, which is at zero; as a cluster autoscaler would have it."""
    assert stack.pool("gpu")["start"] == 0
    stack.plane.wait("a pod for which there is no node", lambda: unschedulable(pods(stack, "gpu")), deadline_s=240)
    stack.plane.apply([stack.node("gpu")])


def unschedulable(found: list[Object]) -> bool:
    return any(each.get("reason") == "Unschedulable" for pod in found for each in pod["status"].get("conditions", ()))


def pods(stack: Stack, kind: str) -> list[Object]:
    return stack.plane.pods("llm", f"app.kubernetes.io/instance={kind}")


@on(*CLOUDS)
def test_what_the_stack_wrote_is_in_the_cluster_that_its_kubeconfig_names(stack: Stack) -> None:
    asked = (stack.place.folder / "asked").read_text()
    assert f"/{SIGN_IN[stack.cloud]} " in asked, "the stack's own kubeconfig led here"
    if stack.cloud == "aws":
        assert "eks get-token --cluster-name llm-dev" in asked
        assert stack.plane.get("storageclass", "gp3")["parameters"]["encrypted"] == "true"
    namespace = stack.plane.get("namespace", "llm")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    bridge = stack.plane.get("secret", "in-cluster", NAMESPACE)["metadata"]
    assert bridge["annotations"]["registry_url"] == stack.told["registryUrl"]
    root = stack.plane.get("applications.argoproj.io", "root", NAMESPACE)
    assert root["spec"]["source"]["path"] == f"clusters/{stack.cloud}/overlays/gpu"
    assert len(stack.plane.get("appprojects.argoproj.io", "", NAMESPACE)["items"]) == 3


@on("aws")
def test_the_server_is_strict(stack: Stack) -> None:
    metadata = {"name": "wrong", "namespace": NAMESPACE}
    spec = {"project": "x", "destination": {}, "source": {"repoURL": "x"}, "syncPolicy": {"automated": {"heal": True}}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata, "spec": {"finalisers": []}}
    application = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata, "spec": spec}
    with closing(RealCluster(stack.told["kubeconfig"], stack.place.environment, lambda release: None)) as cluster:
        with pytest.raises(Refusal, match=r"\.spec\.finalisers: field not declared in schema"):
            cluster.apply({**namespace, "metadata": {"name": "wrong"}})
        with pytest.raises(Refusal, match=r"\.spec\.syncPolicy\.automated\.heal: field not declared in schema"):
            cluster.apply(application)


@on(*CLOUDS)
def test_a_cluster_gets_from_its_root_to_serving_pools(stack: Stack) -> None:
    argo, plane = stack.argo, stack.plane
    assert argo.names() == GPU | OWN[stack.cloud]
    for name in GPU:
        assert argo.state(name) == "Synced/Healthy", name
    for name in OWN[stack.cloud]:
        # The autoscaler's chart comes from the internet: that its project lets it is all that is known here.
        conditions = (argo.application(name) or {})["status"].get("conditions", ())
        assert "InvalidSpecError" not in [each["type"] for each in conditions]
    for kind, name in stack.pools:
        (pod,) = pods(stack, kind)
        assert pod["metadata"]["labels"]["llm-platform/pool-name"] == name
        assert plane.get("node", pod["spec"]["nodeName"])["metadata"]["labels"]["llm-platform/pool"] == kind
        image = pod["spec"]["containers"][0]["image"]
        assert image.startswith(stack.told["registryUrl"])
        assert image.endswith(DIGEST)


@on(*CLOUDS)
def test_a_later_wave_comes_when_the_one_before_is_healthy(stack: Stack) -> None:
    sets = stack.plane.get("applicationsets.argoproj.io", "", NAMESPACE)["items"]
    made = {each["metadata"]["name"]: each["metadata"]["creationTimestamp"] for each in sets}
    waves = ["platform", "exporter-cpu", "exporter-gpu", "pool-cpu", "pool-gpu"]
    assert [made[name] for name in waves] == sorted(made.values())
    settled = (stack.argo.application("platform-resources") or {})["status"]["operationState"]["finishedAt"]
    assert settled <= made["exporter-cpu"]


@on(*CLOUDS)
def test_the_stacks_fragment_leads_the_router_to_these_pools(stack: Stack, tmp_path: Path) -> None:
    """Hosts and keys of the router's configuration are those of the routes and gates in the cluster."""
    fragment, config = tmp_path / "fragment.json", tmp_path / "router.yaml"
    fragment.write_text(json.dumps(stack.told["routerFragment"]))
    for name, key in stack.told["gateKeys"].items():
        (tmp_path / name).write_text(key)
    secrets = {"LLM_ROUTER_SECRETS_DIR": str(tmp_path)}
    router(secrets, "merge", "--out", config, fragment)
    assert "2 clusters" in router(secrets, "check", "--config", config)
    routes = {
        route["metadata"]["labels"]["app.kubernetes.io/instance"]: route["spec"]["hostnames"]
        for route in stack.plane.get("httproutes", "", "llm")["items"]
    }
    for (kind, name), cluster in zip(stack.pools, yaml.safe_load(config.read_text())["clusters"], strict=True):
        assert cluster["name"] == name
        assert routes[kind] == [urlsplit(cluster["endpoint"]).hostname]
        (pod,) = pods(stack, kind)
        secret = f"{name}-gate"
        assert secret in json.dumps(pod["spec"])
        gate = stack.plane.get("secret", secret, "llm")["data"]
        assert base64.b64decode(gate["current"]).decode() == stack.told["gateKeys"][f"{secret}-key"]
        assert base64.b64decode(gate["current-id"]).decode() == cluster["keyId"]


def router(environment: dict[str, str], *arguments: str | Path) -> str:
    command = [sys.executable, "-m", "llm_router", *arguments]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@on("aws")
def test_what_somebody_changes_by_hand_is_put_right(stack: Stack) -> None:
    plane = stack.plane
    plane.kubectl("delete", "networkpolicy", "cpu-llm-server", "-n", "llm")
    plane.wait("the policy again", lambda: "cpu-llm-server" in plane.kubectl("get", "networkpolicies", "-n", "llm"))
    plane.kubectl("set", "image", "deployment/cpu-llm-server", "-n", "llm", "gate=evil.example.com/gate:1")

    def image() -> bool:
        spec = plane.get("deployment", "cpu-llm-server", "llm")["spec"]["template"]["spec"]
        return bool(spec["containers"][0]["image"].endswith(DIGEST))

    plane.wait("the image again", image)


@on("azure")
def test_a_commit_reaches_the_pods_and_a_bad_one_leaves_them_alone(stack: Stack) -> None:
    the_next_image_arrives_and_a_refused_one_does_not(stack.argo)
    another_file_of_the_model_arrives(stack.argo)


def the_next_image_arrives_and_a_refused_one_does_not(argo: ArgoCd) -> None:
    other = f"sha256:{'cd' * 32}"

    def runs(digest: str) -> bool:
        pods = argo.plane.pods("llm", "app.kubernetes.io/instance=cpu")
        return bool(pods) and all(pod["spec"]["containers"][0]["image"].endswith(digest) for pod in pods)

    def refused() -> bool:
        conditions = (argo.application("pool-cpu") or {}).get("status", {}).get("conditions") or []
        return any("digest" in each["message"] for each in conditions)

    release(argo, digest=other)
    argo.plane.wait("the next image", lambda: runs(other))
    release(argo, digest="latest")
    argo.plane.wait("the schema's word", refused)
    assert runs(other)
    release(argo, digest=DIGEST)


def release(argo: ArgoCd, **changes: Any) -> None:
    """Commit another image, and have the sets look."""

    def change(folder: Path) -> None:
        file = folder / "clusters" / "release.yaml"
        content = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump(content | {"routerImage": content["routerImage"] | changes}))

    argo.repository.commit(change, f"image {changes}")
    for name in ("platform", "exporter-cpu", "pool-cpu"):
        argo.plane.kubectl(
            "annotate", "applicationsets.argoproj.io", name, "-n", NAMESPACE, "--overwrite",
            "argocd.argoproj.io/application-set-refresh=true",
        )  # fmt: skip


def another_file_of_the_model_arrives(argo: ArgoCd) -> None:
    """The catalogue's entry says what the pods fetch and verify before the server starts."""
    other = "ef" * 32

    def fetched() -> set[str]:
        pods = argo.plane.pods("llm", "app.kubernetes.io/instance=cpu")
        arguments = [each for pod in pods for each in pod["spec"]["initContainers"][0]["args"]]
        return {each.removeprefix("--sha256=") for each in arguments if each.startswith("--sha256=")}

    (before,) = fetched()

    def change(folder: Path) -> None:
        file = folder / "charts" / "llm-server" / "files" / "catalog.yaml"
        file.write_text(file.read_text().replace(before, other))

    argo.repository.commit(change, "another file of the model")
    argo.refresh("pool-cpu")
    argo.plane.wait("another file of the model", lambda: fetched() == {other})
    argo.repository.revert()


@on(*CLOUDS)
def test_what_git_no_longer_has_is_pruned_and_comes_back(stack: Stack) -> None:
    """The overlay without its GPU pool: sets, Applications and pods of it go, the others stay."""
    argo, plane = stack.argo, stack.plane

    def change(folder: Path) -> None:
        file = folder / "clusters" / "base" / "gpu" / "kustomization.yaml"
        content = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump(content | {"resources": ["exporter-gpu.yaml"]}))

    argo.repository.commit(change, "no GPU pool")
    argo.refresh("root")
    plane.wait("the pool's end", lambda: argo.names() == GPU - {"pool-gpu"} | OWN[stack.cloud])
    assert plane.get("statefulsets,scaledobjects", "", "llm", "-l", "app.kubernetes.io/instance=gpu")["items"] == []
    argo.repository.revert()
    argo.refresh("root")
    plane.wait("the pool again", lambda: pods(stack, "gpu"))
    argo.settled("root")


@on("gcp")
def test_a_project_lets_workloads_make_nothing_outside_their_namespaces(stack: Stack) -> None:
    argo = stack.argo
    source = {"repoURL": argo.repository.url, "targetRevision": "main", "path": "charts/exporters"}
    values = yaml.safe_dump(
        {
            "image": {"repository": "registry.example.com/llm-router", "digest": DIGEST},
            "pools": [
                {"name": "x", "service": "x", "host": "x.example.com", "keysSecret": "x", "price": {"usdPerHour": 1}}
            ],
        }
    )

    def application(name: str, namespace: str) -> Object:
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {
                "project": "workloads",
                "source": source | {"helm": {"values": values}},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
                "syncPolicy": {"automated": {}},
            },
        }

    argo.plane.apply([application("forbidden", "llm"), application("elsewhere", "kube-system")])
    try:

        def told(name: str) -> str:
            status: Any = (argo.application(name) or {}).get("status", {})
            return str(status.get("operationState", {}).get("syncResult", "")) + str(status.get("conditions", ""))

        argo.plane.wait("a refused ClusterRole", lambda: "not permitted in project" in told("forbidden"))
        argo.plane.wait(
            "a refused namespace", lambda: "do not match any of the allowed destinations" in told("elsewhere")
        )
    finally:
        argo.plane.kubectl("delete", "applications.argoproj.io", "forbidden", "elsewhere", "-n", NAMESPACE)


@on("gcp")
def test_an_overlay_that_kubectl_applies_becomes_the_same_pools(stack: Stack) -> None:
    """Without a root Application: the sets alone, as an operator puts them there."""
    argo, plane = stack.argo, stack.plane
    plane.kubectl("delete", "applications.argoproj.io", "root", "-n", NAMESPACE, "--timeout=60s")
    plane.wait("an empty Argo CD", lambda: not argo.names())
    overlay = argo.repository.folder / "clusters" / "gcp" / "overlays" / "gpu"
    plane.kubectl("apply", "-k", overlay)
    plane.wait("its Applications", lambda: argo.names() == GPU)
    for name in ("pool-cpu", "pool-gpu"):
        argo.settled(name)
    assert pods(stack, "gpu")
    plane.kubectl("delete", "-k", overlay, "--timeout=60s")
    plane.wait("an empty Argo CD", lambda: not argo.names())


@on("aws")
def test_a_stack_without_its_gpu_pool_has_argocd_take_it_away(stack: Stack) -> None:
    stack.place.config("aws", "gpu", "false")
    stack.place.up("aws").fine()
    stack.plane.wait("the pool's end", lambda: stack.argo.names() == CPU | OWN["aws"])
    assert stack.place.cloud.of("NodeGroup", "gpu") == []
    assert "aws-gpu-gate" not in stack.plane.kubectl("get", "secrets", "-n", "llm")
    stack.argo.settled("root")


@on("aws")
def test_destroy_waits_until_argocd_has_taken_down_what_it_made(stack: Stack) -> None:
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applications"
    there, since = stack.argo.names(), stack.plane.api.ask("GET", path)["metadata"]["resourceVersion"]
    stack.place.cloud.deeds.clear()
    stack.destroy()
    assert stack.place.cloud.order("delete")[0] == "Application/llm-dev-services-root"
    happened = list(events(stack, path, since))
    assert happened[0] == ("root", "marked")
    assert [name for name, what in happened if what == "gone"] == [name for name in DOWN if name in there]
    nothing_runs(stack)


@on("azure")
def test_the_teardown_script_leaves_no_volume_either(stack: Stack) -> None:
    """Whose model lies on a disk that Argo CD leaves, for whoever comes back."""
    assert len(stack.plane.get("persistentvolumeclaims", "", "llm")["items"]) == 1
    done = stack.place.teardown("azure", "dev", real_kubectl=True)
    assert done.returncode == 0, done.stdout + done.stderr
    nothing_runs(stack)
    assert stack.plane.get("persistentvolumes")["items"] == []
    assert stack.place.cloud.things == {}


def nothing_runs(stack: Stack) -> None:
    assert stack.argo.names() <= {"cluster-autoscaler"}
    assert stack.plane.get("statefulsets,deployments,services,httproutes,pods", "", "llm")["items"] == []


def events(stack: Stack, path: str, since: str) -> Iterator[tuple[str, str]]:
    """What happened to the Applications until the root was gone, in that order: (name, "marked" or "gone")."""
    watched = {"watch": "1", "resourceVersion": since, "timeoutSeconds": "30"}
    marked = set()
    with stack.plane.api.admin.stream("GET", path, params=watched) as answer:
        for line in answer.iter_lines():
            event = json.loads(line)
            metadata = event["object"]["metadata"]
            if event["type"] == "DELETED":
                yield metadata["name"], "gone"
                if metadata["name"] == "root":
                    return
            elif "deletionTimestamp" in metadata and metadata["name"] not in marked:
                marked.add(metadata["name"])
                yield metadata["name"], "marked"
