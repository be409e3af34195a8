"""Weights get to the server in three ways, and none of them starts it before they are verified."""

from __future__ import annotations

from typing import Any

import helm_python as helm
import pytest
import yaml

from llm_router.catalog.files import read_catalog
from tests.charts.helm import CHARTS, ROOT, Object, containers, merged, pod_spec, render
from tests.charts.pools import MINIMAL

IMAGE: dict[str, Any] = {
    "source": "image",
    "image": {"reference": f"registry.example.com/tinyllama@sha256:{'cd' * 32}", "file": "tinyllama.gguf"},
}
CLAIM: dict[str, Any] = {"source": "claim", "claim": {"name": "weights", "file": "llama/tinyllama.gguf"}}


def pod(delivery: dict[str, Any], kind: str = "Deployment") -> Object:
    spec = pod_spec(render("llm-server", MINIMAL, {"delivery": delivery}).one(kind))
    assert spec is not None
    return spec


def volume(spec: Object) -> Object:
    found: Object = {each["name"]: each for each in spec["volumes"]}["models"]
    return found


def test_the_charts_catalog_is_the_repositorys() -> None:
    assert (CHARTS / "llm-server/files/catalog.yaml").read_text() == (ROOT / "models/catalog.yaml").read_text(), (
        "run: make schema"
    )


@pytest.mark.parametrize("model", read_catalog(ROOT / "models/catalog.yaml").models, ids=lambda model: model.name)
def test_every_model_of_the_catalog_is_fetched_by_its_sum(model: Any) -> None:
    size = {"model": {"name": model.name, "slots": 1, "contextPerSlot": 512}}
    spec = pod_spec(render("llm-server", MINIMAL, size).one("Deployment"))
    assert spec is not None
    weights, llama = containers(spec)["weights"], containers(spec)["llama"]
    file = llama["args"][llama["args"].index("--model") + 1]
    assert weights["args"] == [
        "models",
        "fetch",
        f"--file={file}",
        f"--sha256={model.file.sha256}",
        f"--size={model.file.size_bytes}",
        f"--uri={model.file.uri}",
    ]


@pytest.mark.parametrize("delivery", [{}, IMAGE, CLAIM], ids=["download", "image", "claim"])
def test_the_sum_is_checked_before_the_server_starts_and_the_server_only_reads(delivery: dict[str, Any]) -> None:
    spec = pod(delivery)
    first, second = spec["initContainers"][:2]
    assert (first["name"], second["name"]) == ("weights", "llama")
    assert any(each.startswith("--sha256=") for each in first["args"])
    mounts = {each["name"]: each for each in second["volumeMounts"]}
    assert mounts["models"]["readOnly"] is True


@pytest.mark.parametrize("delivery", [IMAGE, CLAIM], ids=["image", "claim"])
def test_what_is_delivered_otherwise_is_verified_and_never_downloaded(delivery: dict[str, Any]) -> None:
    weights = containers(pod(delivery))["weights"]
    assert not any(each.startswith("--uri=") for each in weights["args"])
    assert weights["volumeMounts"][0]["readOnly"] is True
    assert f"--file=/models/{delivery[delivery['source']]['file']}" in weights["args"]


def test_on_the_nodes_disk_the_file_has_room_and_is_accounted_for() -> None:
    spec = pod({})
    assert (
        volume(spec)["emptyDir"]["sizeLimit"]
        == containers(spec)["weights"]["resources"]["requests"]["ephemeral-storage"]
    )


def test_an_image_volume_is_named_by_digest() -> None:
    assert volume(pod(IMAGE))["image"]["reference"].endswith(f"@sha256:{'cd' * 32}")


def test_an_image_volume_needs_a_new_enough_kubernetes(capfd: pytest.CaptureFixture[str]) -> None:
    """The linter, which alone can be told a version, only logs what would fail."""
    for version, told in (("v1.34.0", True), ("v1.36.0", False)):
        helm.lint(CHARTS / "llm-server", merged(MINIMAL, {"delivery": IMAGE}), kube_version=version)
        assert ("image volumes need Kubernetes 1.35" in capfd.readouterr().err) == told


def test_a_claim_that_exists_is_mounted() -> None:
    assert volume(pod(CLAIM))["persistentVolumeClaim"]["claimName"] == "weights"


def test_with_a_volume_for_each_replica_it_is_a_stateful_set_that_keeps_them() -> None:
    objects = render("llm-server", MINIMAL, {"delivery": {"cache": {"mode": "perReplica"}}, "storageClass": "gp3"})
    found = objects.one("StatefulSet")["spec"]
    claim = found["volumeClaimTemplates"][0]["spec"]
    assert objects.of("Deployment") == []
    assert (claim["accessModes"], claim["storageClassName"]) == (["ReadWriteOnce"], "gp3")
    assert found["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert found["podManagementPolicy"] == "Parallel"
    assert "models" not in {each["name"] for each in found["template"]["spec"]["volumes"]}


def test_a_shared_volume_is_one_that_several_nodes_can_mount_and_outlives_the_release() -> None:
    objects = render("llm-server", MINIMAL, {"delivery": {"cache": {"mode": "shared"}}})
    claim = objects.one("PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    spec = pod_spec(objects.one("Deployment"))
    assert spec is not None
    assert volume(spec)["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def test_no_mode_lets_two_pods_wait_for_one_disk() -> None:
    """ReadWriteOnce appears only where each pod has a claim of its own."""
    for mode in ("none", "perReplica", "shared"):
        objects = render("llm-server", MINIMAL, {"delivery": {"cache": {"mode": mode}}, "replicas": 2})
        assert all(each["spec"]["accessModes"] == ["ReadWriteMany"] for each in objects.of("PersistentVolumeClaim"))


def test_a_shared_volume_that_exists_is_not_made_again() -> None:
    cache = {"mode": "shared", "existingClaim": "efs"}
    objects = render("llm-server", MINIMAL, {"delivery": {"cache": cache}})
    assert objects.of("PersistentVolumeClaim") == []


def test_the_volume_has_room_for_the_file_and_a_new_one_beside_it() -> None:
    objects = render("llm-server", MINIMAL, {"delivery": {"cache": {"mode": "shared"}}})
    given = objects.one("PersistentVolumeClaim")["spec"]["resources"]["requests"]["storage"]
    assert int(given.removesuffix("Mi")) * 2**20 > 1.5 * 668788096
    cache = {"mode": "shared", "size": "20Gi"}
    larger = render("llm-server", MINIMAL, {"delivery": {"cache": cache}}).one("PersistentVolumeClaim")
    assert larger["spec"]["resources"]["requests"]["storage"] == "20Gi"


def refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(helm.HelmError, match=told):
        render("llm-server", MINIMAL, values)


def custom(**file: Any) -> dict[str, Any]:
    entry = yaml.safe_load((ROOT / "models/catalog.yaml").read_text())["models"][0]
    entry["name"] = "own"
    entry["file"] |= file
    return {"model": {"custom": entry}}


def test_a_model_of_ones_own_is_described_as_in_the_catalog() -> None:
    found = render("llm-server", MINIMAL, custom(sha256="ef" * 32)).one("Deployment")
    assert f"--sha256={'ef' * 32}" in containers(found["spec"]["template"]["spec"])["weights"]["args"]


def test_nothing_is_deployed_that_cannot_be_verified() -> None:
    refused(custom(sha256=None), "nothing is deployed that cannot be verified")


def test_an_unknown_model_is_refused() -> None:
    refused({"model": {"name": "gpt-4"}}, "the catalog has no .*gpt-4")


def test_a_model_that_is_not_meant_for_the_pool_needs_to_be_told_how() -> None:
    refused({"model": {"name": "llama-2-7b-chat"}}, "does not suggest llama-2-7b-chat for cpu pools")


def test_more_context_than_the_model_was_made_for_is_refused() -> None:
    refused({"model": {"contextPerSlot": 4096}}, "was made for 2048 tokens")


@pytest.mark.parametrize(
    "delivery",
    [
        {"source": "image", "image": {"reference": "registry.example.com/weights:latest", "file": "a.gguf"}},
        {"source": "image"},
        {"source": "claim"},
        {"source": "ftp"},
    ],
)
def test_half_said_deliveries_are_refused(delivery: dict[str, Any]) -> None:
    refused({"delivery": delivery}, "delivery")
