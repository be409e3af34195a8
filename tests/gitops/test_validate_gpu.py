"""scripts/validate-gpu.sh against a real API server with the nodes of three clouds."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from llm_infra.contract import CONTRACTS, GPU_RESOURCE
from tests.charts.helm import ROOT
from tests.gitops.control_plane import ControlPlane
from tests.gitops.test_charts import installed, of, running, unscheduled
from tests.router.discovery.kube_server import tool

SCRIPT = ROOT / "scripts" / "validate-gpu.sh"


@pytest.fixture
def kubeconfig(plane: ControlPlane, tmp_path: Path) -> Path:
    """The contexts that the script looks for, all of them the one control plane that is there."""
    config = yaml.safe_load(plane.api.kubeconfig.read_text())
    context = config["contexts"][0]["context"]
    config["contexts"] = [{"name": f"{cloud}-cluster", "context": context} for cloud in CONTRACTS]
    config["clusters"][0]["cluster"]["certificate-authority"] = str(plane.api.ca)
    user = config["users"][0]["user"]
    folder = plane.api.kubeconfig.parent
    user |= {"client-certificate": str(folder / "admin.pem"), "client-key": str(folder / "admin.pem")}
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


def validate(kubeconfig: Path, *arguments: str) -> tuple[int, list[str]]:
    env = {**os.environ, "KUBECONFIG": str(kubeconfig), "PATH": f"{tool('kubectl').parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [SCRIPT, "--no-completion", *arguments], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


@contextmanager
def device_plugin(plane: ControlPlane) -> Iterator[None]:
    """A DaemonSet that tolerates what GPU nodes keep others off by."""
    labels = {"app": "nvidia-device-plugin"}
    spec = {
        "nodeSelector": {"llm-platform/pool": "gpu"},
        "tolerations": [{"operator": "Exists"}],
        "containers": [{"name": "plugin", "image": "nvcr.io/nvidia/k8s-device-plugin:v0.20.1"}],
    }
    plane.apply(
        [
            {
                "apiVersion": "apps/v1",
                "kind": "DaemonSet",
                "metadata": {"name": "nvidia-device-plugin", "namespace": "kube-system"},
                "spec": {
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": spec},
                },
            }
        ]
    )
    try:
        plane.wait(
            "the plugin on all GPU nodes",
            lambda: plane.get("daemonset", "nvidia-device-plugin", "kube-system")["status"].get("numberReady") == 3,
        )
        yield
    finally:
        plane.kubectl("delete", "daemonset", "nvidia-device-plugin", "-n", "kube-system")


def starting(lines: list[str], word: str, what: str) -> list[str]:
    return [line for line in lines if line.startswith(word) and what in line]


@pytest.mark.slow
@pytest.mark.built
def test_three_clusters_with_their_pools_at_zero_are_fine(plane: ControlPlane, kubeconfig: Path) -> None:
    with device_plugin(plane):
        code, lines = validate(kubeconfig)
    assert code == 0, lines
    assert [line for line in lines if line.startswith("==")] == ["== aws-cluster", "== gcp-cluster", "== azure-cluster"]
    assert len(starting(lines, "PASS", "offers 1 nvidia.com/gpu")) == 9
    assert len(starting(lines, "PASS", "runs on 3 of 3 nodes")) == 3
    assert len(starting(lines, "SKIP", "the pool is at zero")) == 3


@pytest.mark.slow
@pytest.mark.built
def test_a_missing_plugin_and_a_cluster_that_is_not_there_are_failures(plane: ControlPlane, kubeconfig: Path) -> None:
    code, lines = validate(kubeconfig, "aws-cluster", "moon-cluster")
    assert code == 1
    assert starting(lines, "FAIL", "components.devicePlugin.enabled")
    assert starting(lines, "FAIL", "not reachable as context moon-cluster")


@pytest.mark.slow
@pytest.mark.built
def test_a_node_without_its_gpu_is_told(plane: ControlPlane, kubeconfig: Path) -> None:
    status = {"status": {"allocatable": {GPU_RESOURCE: "0"}, "capacity": {GPU_RESOURCE: "0"}}}
    back = {"status": {"allocatable": {GPU_RESOURCE: "1"}, "capacity": {GPU_RESOURCE: "1"}}}
    patch = ("patch", "node", "aws-gpu-0", "--subresource=status", "--type=merge", "-p")
    plane.kubectl(*patch, yaml.safe_dump(status))
    try:
        code, lines = validate(kubeconfig, "aws-cluster")
    finally:
        plane.kubectl(*patch, yaml.safe_dump(back))
    assert code == 1
    assert starting(lines, "FAIL", "aws-gpu-0 offers no nvidia.com/gpu")


@pytest.mark.slow
@pytest.mark.built
def test_pods_that_wait_are_explained(plane: ControlPlane, kubeconfig: Path) -> None:
    with installed(plane, "gpu", of("azure", "gpu", tolerations=[])) as selector:
        plane.wait("a reason", lambda: unscheduled(plane, selector))
        assert starting(validate(kubeconfig, "azure-cluster")[1], "FAIL", "its tolerations lack a taint")
    with installed(plane, "gpu", of("azure", "gpu", replicas=2)) as selector:
        plane.wait("a reason", lambda: "Insufficient nvidia.com/gpu" in unscheduled(plane, selector))
        code, lines = validate(kubeconfig, "azure-cluster")
        assert code == 1
        assert starting(lines, "PASS", "runs on azure-gpu-0")
        assert starting(lines, "FAIL", "Low-priority vCPUs")


@pytest.mark.slow
@pytest.mark.built
def test_a_running_pod_passes(plane: ControlPlane, kubeconfig: Path) -> None:
    with device_plugin(plane), installed(plane, "gpu", of("gcp", "gpu")) as selector:
        plane.wait("a running pod", lambda: running(plane, selector))
        code, lines = validate(kubeconfig, "gcp-cluster")
    assert code == 0, lines
    assert starting(lines, "PASS", "runs on gcp-gpu-0")
    assert starting(lines, "SKIP", "log"), "nothing runs behind these pods"


# ---------------------------------------------------------------- what llama-server says, by a kubectl that plays it

KUBECTL = """#!/usr/bin/env bash
case "$*" in
  *version*) ;;
  *"get nodes"*) echo "gpu-0 1" ;;
  *daemonsets*) echo "kube-system/nvidia-device-plugin 1 1" ;;
  *"limits.nvidia"*) echo "gpu-0 1" ;;
  *status.phase}*) printf Running ;;
  *nodeName*) printf gpu-0 ;;
  *"logs"*) echo "$LLAMA_LOG" ;;
  *"instance=cpu"*) printf cpu-0 ;;
  *"instance=gpu"*) printf gpu-0 ;;
  *"exec"*"gpu-0"*) echo '{"content":"…","timings":{"predicted_n":64,"predicted_per_second":31.4}}' ;;
  *"exec"*"cpu-0"*) echo '{"content":"…","timings":{"predicted_n":64,"predicted_per_second":9.2}}' ;;
esac
"""


@pytest.mark.parametrize(
    ("log", "word", "told"),
    [
        ("load_tensors: offloaded 33/33 layers to GPU", "PASS", "has all 33 layers on the GPU"),
        ("load_tensors: offloaded 20/33 layers to GPU", "FAIL", "20 of 33 layers"),
        ("main: server is listening", "FAIL", "is it the CUDA build"),
    ],
)
def test_layers_and_speed_are_read_off_the_server(tmp_path: Path, log: str, word: str, told: str) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LLAMA_LOG": log}
    done = subprocess.run([SCRIPT, "aws-cluster"], env=env, capture_output=True, text=True, timeout=110, check=False)
    lines = done.stdout.splitlines()
    assert starting(lines, word, told), done.stdout + done.stderr
    assert starting(lines, "PASS", "31.4 tokens/s on the GPU, 9.2 on the CPU pool")
    assert done.returncode == (0 if word == "PASS" else 1)
