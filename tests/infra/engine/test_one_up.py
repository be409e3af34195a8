"""One `up`, end to end: the emulated cluster's endpoint is a real Kubernetes API server.

What the stack puts into it is judged there, field by field. The token comes by the command that the stack's own
kubeconfig names.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llm_infra.clouds import CLOUDS
from tests.infra.emulation import outputs
from tests.infra.engine.cloud import Cloud, Refusal
from tests.infra.engine.real_cluster import RealCluster
from tests.infra.engine.workspace import Workspace, workspace
from tests.router.discovery.kube_server import ApiServer, running_api_server

pytestmark = [pytest.mark.built, pytest.mark.timeout(300)]

COMMANDS = {"aws": "aws", "gcp": "gke-gcloud-auth-plugin", "azure": "kubelogin"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One for all clouds: each applies its own over the one before."""
    with (
        running_api_server(tmp_path_factory.mktemp("server")) as running,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv(outputs.API_SERVER, running.url)
        environment.setenv(outputs.API_SERVER_CA, base64.b64encode(running.ca.read_bytes()).decode())
        yield running


@pytest.fixture(scope="module")
def token(server: ApiServer) -> str:
    return administrator(server)


@pytest.fixture
def place(tmp_path: Path, warm_python: Path, token: str) -> Iterator[Workspace]:
    folder = tmp_path / "work"
    folder.mkdir()
    with workspace(folder, Cloud(), warm_python, real_cluster=True) as made:
        credential = {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "kind": "ExecCredential",
            "status": {"token": token},
        }
        for command in COMMANDS.values():
            program = folder / "bin" / command
            program.write_text(f"#!/bin/sh\necho '{json.dumps(credential)}'\necho \"$0 $*\" >> {folder}/asked\n")
            program.chmod(0o755)
        yield made


def administrator(server: ApiServer) -> str:
    token = server.token("default", "deployer")
    subject = {"kind": "ServiceAccount", "name": "deployer", "namespace": "default"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    binding = {"metadata": {"name": "deployer"}, "subjects": [subject], "roleRef": role}
    server.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    return token


@pytest.mark.parametrize("cloud", CLOUDS)
def test_from_cluster_to_root_application_and_router_fragment(place: Workspace, server: ApiServer, cloud: str) -> None:
    place.init(cloud)
    place.up(cloud).fine()
    asked = (place.folder / "asked").read_text()
    assert f"/{COMMANDS[cloud]} " in asked, "the stack's own kubeconfig led here"
    if cloud == "aws":
        assert "eks get-token --cluster-name llm-dev" in asked
    namespace = server.ask("GET", "/api/v1/namespaces/llm")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    gate = server.ask("GET", f"/api/v1/namespaces/llm/secrets/{cloud}-gpu-gate")["data"]
    told = place.outputs(cloud)
    assert base64.b64decode(gate["current"]).decode() == told["gateKeys"][f"{cloud}-gpu-gate-key"]
    bridge = server.ask("GET", "/api/v1/namespaces/argocd/secrets/in-cluster")["metadata"]
    assert bridge["annotations"]["registry_url"] == told["registryUrl"]
    root = server.ask("GET", "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/root")
    assert root["spec"]["source"]["path"] == f"clusters/{cloud}/overlays/gpu"
    assert len(server.ask("GET", "/apis/argoproj.io/v1alpha1/namespaces/argocd/appprojects")["items"]) == 3
    if cloud == "aws":
        storage = server.ask("GET", "/apis/storage.k8s.io/v1/storageclasses/gp3")
        assert storage["parameters"]["encrypted"] == "true"
    assert [cluster["name"] for cluster in told["routerFragment"]["clusters"]] == [cloud, f"{cloud}-gpu"]


def test_the_server_is_strict(place: Workspace, server: ApiServer) -> None:
    kubeconfig = {
        "clusters": [{"cluster": {"server": server.url}}],
        "users": [{"user": {"exec": {"command": str(place.folder / "bin" / "aws"), "args": []}}}],
    }
    wrong = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}, "spec": {"finalisers": []}}
    with closing(RealCluster(json.dumps(kubeconfig), place.environment)) as cluster:
        with pytest.raises(Refusal, match=r"\.spec\.finalisers: field not declared in schema"):
            cluster.apply(wrong)
