"""From a commit to pods: the objects that Pulumi makes, handed to a real Argo CD, for each cloud."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_infra.clouds import CLOUDS, Cloud
from tests.gitops.argo import DIGEST, NAMESPACE, ArgoCd, running_argocd
from tests.gitops.control_plane import ControlPlane, Object
from tests.infra import programs

pytestmark = [pytest.mark.slow, pytest.mark.built, pytest.mark.timeout(400)]

PUBLIC = "https://git.example.com/llm.git"
CPU = {"platform", "platform-resources", "exporter-cpu", "pool-cpu"}
GPU = CPU | {"exporter-gpu", "pool-gpu"}


@pytest.fixture(scope="module")
def argo(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoCd]:
    with running_argocd(plane, tmp_path_factory.mktemp("argo") / "cd") as running:
        yield running


def of_the_stack(cloud: Cloud, url: str, overlay: str) -> tuple[list[Object], Object]:
    """What Pulumi hands to Argo CD - projects and the cluster's Secret - and the root Application."""
    settings = {"gitRepoUrl": PUBLIC, "gitPath": f"clusters/{cloud}/overlays/{overlay}"}
    recorded = programs.run(cloud, "dev", {f"llm-{cloud}:{key}": value for key, value in settings.items()})
    projects = [each.inputs for each in recorded.of(":AppProject")]
    secret = recorded.one("core/v1:Secret", "cluster-secret").inputs
    # No device plugin: its chart would have to come from the internet.
    annotations = secret["metadata"]["annotations"] | {"device_plugin": "false", "registry_url": "registry.example.com"}
    metadata = secret["metadata"] | {"annotations": annotations}
    made = {"apiVersion": "v1", "kind": "Secret", **secret, "metadata": metadata}
    # A stack takes no repository without TLS; the tests' is on loopback.
    objects, root = json.loads(
        json.dumps([[*projects, made], recorded.one(":Application", "root").inputs]).replace(PUBLIC, url)
    )
    return objects, root


@contextmanager
def deployed(argo: ArgoCd, cloud: Cloud, overlay: str = "gpu") -> Iterator[None]:
    objects, root = of_the_stack(cloud, argo.repository.url, overlay)
    argo.plane.apply([*objects, root])
    try:
        yield
    finally:
        argo.plane.kubectl("delete", "applications.argoproj.io", "root", "-n", NAMESPACE, "--timeout=60s")
        argo.plane.wait("an empty Argo CD", lambda: not argo.names())


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_cluster_gets_from_its_root_to_serving_pools(argo: ArgoCd, cloud: Cloud) -> None:
    with deployed(argo, cloud):
        argo.settled("root")
        assert argo.names() == GPU | {"root"}
        for name in GPU:
            assert argo.state(name) == "Synced/Healthy", name
        for kind, name in (("cpu", cloud), ("gpu", f"{cloud}-gpu")):
            (pod,) = argo.plane.pods("llm", f"app.kubernetes.io/instance={kind}")
            assert pod["metadata"]["labels"]["llm-platform/pool-name"] == name
            assert argo.plane.get("node", pod["spec"]["nodeName"])["metadata"]["labels"]["llm-platform/pool"] == kind
            assert pod["spec"]["containers"][0]["image"].endswith(DIGEST)
        in_waves(argo)
        what_git_no_longer_has_is_pruned(argo)
    assert argo.plane.get("statefulsets,deployments", "", "llm")["items"] == []


def in_waves(argo: ArgoCd) -> None:
    """The set of a later wave was made only when what an earlier one had made was healthy."""
    sets = argo.plane.get("applicationsets.argoproj.io", "", NAMESPACE)["items"]
    made = {each["metadata"]["name"]: each["metadata"]["creationTimestamp"] for each in sets}
    waves = ["platform", "exporter-cpu", "exporter-gpu", "pool-cpu", "pool-gpu"]
    assert [made[name] for name in waves] == sorted(made.values())
    settled = (argo.application("platform-resources") or {})["status"]["operationState"]["finishedAt"]
    assert settled <= made["exporter-cpu"]


def test_what_somebody_changes_by_hand_is_put_right(argo: ArgoCd) -> None:
    with deployed(argo, "aws", "prod"):
        argo.settled("root")
        assert argo.names() == CPU | {"root"}
        argo.plane.kubectl("delete", "networkpolicy", "cpu-llm-server", "-n", "llm")
        argo.plane.wait("the policy again", lambda: argo.plane.get("networkpolicies", "", "llm")["items"][-1:])
        argo.plane.kubectl("set", "image", "deployment/cpu-llm-server", "-n", "llm", "gate=evil.example.com/gate:1")

        def image() -> bool:
            spec = argo.plane.get("deployment", "cpu-llm-server", "llm")["spec"]["template"]["spec"]
            return bool(spec["containers"][0]["image"].endswith(DIGEST))

        argo.plane.wait("the image again", image)


def test_a_commit_reaches_the_pods_and_a_bad_one_leaves_them_alone(argo: ArgoCd) -> None:
    with deployed(argo, "azure", "prod"):
        argo.settled("root")
        the_next_image_arrives_and_a_refused_one_does_not(argo)
        another_file_of_the_model_arrives(argo)


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


def what_git_no_longer_has_is_pruned(argo: ArgoCd) -> None:
    """The overlay without its GPU pool: sets, Applications and pods of it go, the others stay."""

    def change(folder: Path) -> None:
        file = folder / "clusters" / "base" / "gpu" / "kustomization.yaml"
        content = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump(content | {"resources": ["exporter-gpu.yaml"]}))

    argo.repository.commit(change, "no GPU pool")
    argo.refresh("root")
    argo.plane.wait("the pool's end", lambda: argo.names() == GPU - {"pool-gpu"} | {"root"})
    assert (
        argo.plane.get("statefulsets,scaledobjects", "", "llm", "-l", "app.kubernetes.io/instance=gpu")["items"] == []
    )
    argo.repository.revert()


def test_a_project_lets_workloads_make_nothing_outside_their_namespaces(argo: ArgoCd) -> None:
    objects, _ = of_the_stack("gcp", argo.repository.url, "prod")
    argo.plane.apply(objects)
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


def test_an_overlay_that_kubectl_applies_becomes_the_same_pools(argo: ArgoCd) -> None:
    """Without a root Application: the sets alone, as an operator puts them there."""
    objects, _ = of_the_stack("gcp", argo.repository.url, "gpu")
    argo.plane.apply(objects)
    overlay = argo.repository.folder / "clusters" / "gcp" / "overlays" / "gpu"
    argo.plane.kubectl("apply", "-k", overlay)
    try:
        argo.plane.wait("its Applications", lambda: argo.names() == GPU)
        for name in ("pool-cpu", "pool-gpu"):
            argo.settled(name)
        assert argo.plane.pods("llm", "app.kubernetes.io/instance=gpu")
    finally:
        argo.plane.kubectl("delete", "-k", overlay, "--timeout=60s")
        argo.plane.wait("an empty Argo CD", lambda: not argo.names())
