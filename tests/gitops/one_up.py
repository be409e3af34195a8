"""One `pulumi up` on the real engine: the emulated cluster's endpoint is a real control plane, and the Argo CD whose
release the stack installs there is the real one."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from llm_infra.clouds import Cloud
from tests.gitops.argo import NAMESPACE, ArgoCd, Repository, configure, running_argocd, running_git
from tests.gitops.control_plane import ControlPlane, Object, bare_control_plane
from tests.gitops.nodes import of_pool, storage_class, volume
from tests.infra.emulation import outputs
from tests.infra.engine import cloud as pretended
from tests.infra.engine.workspace import Workspace, workspace
from tests.infra.nodes import SEEN, Nodes

#: The command that each stack's kubeconfig asks for a token.
SIGN_IN: dict[Cloud, str] = {"aws": "aws", "gcp": "gke-gcloud-auth-plugin", "azure": "kubelogin"}


@dataclass
class Ground:
    """What the stacks of a test run share: each cloud's cluster in its turn, a Git server, and the Argo CD that the
    first stack installs."""

    plane: ControlPlane
    repository: Repository
    token: str
    folder: Path
    until_the_end: ExitStack
    argo: ArgoCd | None = None

    def install(self, release: dict[str, Any]) -> None:
        """In Helm's place: Argo CD with the values that the stack gives its chart."""
        assert release["chart"] == "argo-cd"
        configure(self.plane, release["values"])
        if self.argo is None:
            running = running_argocd(self.plane, self.repository, self.folder / "cd")
            self.argo = self.until_the_end.enter_context(running)


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    with ExitStack() as stack:
        plane = stack.enter_context(bare_control_plane(folder / "plane"))
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv(outputs.API_SERVER, plane.api.url)
        environment.setenv(outputs.API_SERVER_CA, base64.b64encode(plane.api.ca.read_bytes()).decode())
        repository = stack.enter_context(running_git(folder))
        yield Ground(plane, repository, _administrator(plane), folder, stack)


def _administrator(plane: ControlPlane) -> str:
    token = plane.api.token("default", "deployer")
    rights = ("--clusterrole=cluster-admin", "--serviceaccount=default:deployer")
    plane.kubectl("create", "clusterrolebinding", "deployer", *rights)
    return token


@dataclass(frozen=True)
class Stack:
    """One that is up: where Pulumi runs, what it told, and the Argo CD that it installed."""

    cloud: Cloud
    place: Workspace
    told: dict[str, Any]
    argo: ArgoCd

    @property
    def plane(self) -> ControlPlane:
        return self.argo.plane

    @property
    def pools(self) -> tuple[tuple[str, str], ...]:
        """Kind and name of each."""
        return ("cpu", self.cloud), ("gpu", f"{self.cloud}-gpu")

    def pool(self, kind: str) -> Nodes:
        """As it is in the pretended cloud."""
        return SEEN[self.cloud](self.place.cloud, kind)

    def node(self, kind: Literal["cpu", "gpu"], number: int = 0) -> Object:
        """One that the cloud would make for that pool."""
        return of_pool(self.cloud, kind, self.pool(kind), number)

    def destroy(self) -> None:
        self.place.pulumi(self.cloud, "destroy", "--yes", "--skip-preview", "--suppress-progress").fine()


@contextmanager
def up(cloud: Cloud, on: Ground, folder: Path, warm: Path) -> Iterator[Stack]:
    """Taken down at the end, where the test has not done so; with the cluster goes all that was in it."""
    with workspace(folder, pretended.Cloud(), warm, on.install) as place:
        _signed_in(place, on.token)
        # What the cloud itself brings, and takes back again. On AWS the stack makes the class.
        disk = volume(cloud, persistentVolumeReclaimPolicy="Delete")
        on.plane.apply([disk] if cloud == "aws" else [storage_class(cloud), disk])
        place.init(cloud)
        place.config(cloud, "gitRepoUrl", on.repository.url)
        place.up(cloud).fine()
        assert on.argo is not None
        stack = Stack(cloud, place, place.outputs(cloud), on.argo)
        on.plane.apply(stack.node("cpu", number) for number in range(stack.pool("cpu")["start"]))
        try:
            yield stack
            if place.cloud.things:
                stack.destroy()
        finally:
            _gone(on.plane)


def _signed_in(place: Workspace, token: str) -> None:
    """The cloud's command answers with ``token``, and writes down what it was asked."""
    credential = {"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential"}
    answer = json.dumps({**credential, "status": {"token": token}})
    for command in SIGN_IN.values():
        program = place.folder / "bin" / command
        program.write_text(f"#!/bin/sh\necho '{answer}'\necho \"$0 $*\" >> {place.folder}/asked\n")
        program.chmod(0o755)


def _gone(plane: ControlPlane) -> None:
    """Its namespaces stay for the next cluster, with the Argo CD that is there."""
    plane.kubectl("delete", "applications.argoproj.io,appprojects.argoproj.io", "--all", "-n", NAMESPACE)
    plane.kubectl("delete", "secrets", "-l", "argocd.argoproj.io/secret-type=cluster", "-n", NAMESPACE)
    plane.kubectl("delete", "secrets,persistentvolumeclaims", "--all", "-n", "llm")
    plane.kubectl("delete", "nodes,persistentvolumes", "--all")
