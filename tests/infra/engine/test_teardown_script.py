"""scripts/teardown.sh with the real Pulumi; the other commands are stand-ins that find nothing left."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.infra.engine.workspace import ROOT, Workspace

pytestmark = [pytest.mark.built, pytest.mark.timeout(300)]


def teardown(place: Workspace, *arguments: str, real_kubectl: bool = False) -> subprocess.CompletedProcess[str]:
    (place.folder / "scripts").mkdir(exist_ok=True)
    script = place.folder / "scripts" / "teardown.sh"
    shutil.copy(ROOT / "scripts" / "teardown.sh", script)
    for command in ("gcloud", "az") if real_kubectl else ("kubectl", "gcloud", "az"):
        program = place.folder / "bin" / command
        program.write_text(f'#!/bin/sh\necho "$*" >> {place.folder}/{command}-calls\n')
        program.chmod(0o755)
    return subprocess.run(
        [script, *arguments], env=place.environment, capture_output=True, text=True, check=False, timeout=250
    )


def test_a_production_with_key_vaults_leaves_nothing(place: Workspace) -> None:
    place.init("azure", "prod")
    place.up("azure").fine()
    done = teardown(place, "azure", "prod", "--production")
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.cloud.things == {}


def test_production_is_unprotected_and_leaves_nothing(place: Workspace) -> None:
    place.init("gcp", "prod")
    place.up("gcp").fine()
    before = dict(place.cloud.things)
    assert "protected" in place.pulumi("gcp", "destroy", "--yes").refused().output
    assert place.cloud.things == before
    assert teardown(place, "gcp", "prod").returncode == 1
    assert place.cloud.one("container/cluster:Cluster").inputs["deletionProtection"] is True

    done = teardown(place, "gcp", "prod", "--production")
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.cloud.things == {}
    assert "delete application root --namespace argocd" in (place.folder / "kubectl-calls").read_text()
    updated = place.cloud.order("update")
    assert "Cluster/llm-prod-cluster" in updated, "Google's own protection was taken away first"
