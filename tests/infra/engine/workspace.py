"""A place where the Pulumi command runs: its own home, state, copies of the projects, and stand-ins for the clouds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.engine import language_host, warm_python
from tests.infra.engine.cloud import Cloud
from tests.infra.engine.judge import Judge
from tests.infra.engine.provider import serving
from tests.infra.engine.real_cluster import Install, RealCluster

ROOT = Path(__file__).parents[3]
TOOLS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llm-router" / "tools" / "bin"
#: The state is written when a command ends, not after each resource: two thirds of what an `up` costs here.
WRITTEN_AT_THE_END = {"PULUMI_SKIP_CHECKPOINTS": "true"}
#: The command's garbage is left lying until it would take up that much.
LITTLE_COLLECTING = {"GOGC": "off", "GOMEMLIMIT": "400MiB"}
PROJECTS = ("aws", "gcp", "azure", "router", "policy")


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    output: str

    def fine(self) -> Result:
        assert self.code == 0, self.complaints
        return self

    @property
    def complaints(self) -> str:
        """Lines of errors; all of the output where there are none."""
        lines = [
            line for line in self.output.splitlines() if "error:" in line or "Error" in line or "mandatory" in line
        ]
        return "\n".join(lines) or self.output

    def refused(self) -> Result:
        assert self.code != 0, self.output
        return self


@dataclass(frozen=True, slots=True)
class Step:
    """What a preview would do to one resource."""

    op: str
    urn: str
    inputs: dict[str, Any]

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[1]

    @property
    def type(self) -> str:
        return self.urn.split("::")[2].split("$")[-1]


@dataclass(frozen=True)
class Workspace:
    folder: Path
    cloud: Cloud
    environment: dict[str, str]

    def pulumi(self, project: str, *arguments: str, passphrase: str | None = None) -> Result:
        environment = {
            **self.environment,
            **({"PULUMI_CONFIG_PASSPHRASE": passphrase} if passphrase is not None else {}),
        }
        with language_host.attached(environment) as attached:
            done = subprocess.run(
                [TOOLS / "pulumi", *arguments, "--non-interactive"],
                cwd=self.folder / "infra" / project,
                env=attached,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=300,
                check=False,
            )
        return Result(done.returncode, done.stdout)

    def writing_each_step(self) -> Workspace:
        """The same place with Pulumi as its users have it, to whom a run may end in the middle."""
        kept = {key: value for key, value in self.environment.items() if key not in WRITTEN_AT_THE_END}
        return replace(self, environment=kept)

    def init(self, project: str, stack: str = "dev") -> None:
        if project in ("gcp", "azure"):
            # They come from the network, not from a provider.
            settings = self.folder / "infra" / project / f"Pulumi.{stack}.yaml"
            told = yaml.safe_load(settings.read_text())
            told["config"][f"llm-{project}:livePrices"] = False
            settings.write_text(yaml.safe_dump(told))
        self.pulumi(project, "stack", "init", stack).fine()

    def up(self, project: str, *more: str) -> Result:
        return self.pulumi(project, "up", "--yes", "--skip-preview", "--suppress-progress", *more)

    def preview(self, project: str, *more: str) -> list[Step]:
        """What would be done, without what stays as it is."""
        done = self.pulumi(project, "preview", "--json", *more).fine()
        told = json.loads(done.output[done.output.index("{") :])
        return [
            Step(step["op"], step["urn"], (step.get("newState") or {}).get("inputs") or {})
            for step in told["steps"]
            if step["op"] != "same"
        ]

    def config(self, project: str, key: str, value: str, *more: str) -> None:
        self.pulumi(project, "config", "set", *more, key, value).fine()

    def outputs(self, project: str) -> dict[str, Any]:
        return dict(json.loads(self.pulumi(project, "stack", "output", "--json", "--show-secrets").fine().output))

    def teardown(self, *arguments: str, real_kubectl: bool = False) -> subprocess.CompletedProcess[str]:
        """scripts/teardown.sh; the clouds' commands, and kubectl if need be, are stand-ins that find nothing left."""
        folder = self.folder / "scripts"
        folder.mkdir(exist_ok=True)
        script = shutil.copy(ROOT / "scripts" / "teardown.sh", folder)
        for command in ("aws", "gcloud", "az") if real_kubectl else ("aws", "gcloud", "az", "kubectl"):
            program = self.folder / "bin" / command
            program.write_text(f'#!/bin/sh\necho "$*" >> {self.folder}/{command}-calls\n')
            program.chmod(0o755)
        with language_host.attached(self.environment) as attached:
            return subprocess.run(
                [script, *arguments], env=attached, capture_output=True, text=True, check=False, timeout=250
            )

    def state(self, project: str) -> dict[str, Any]:
        return dict(json.loads(self.pulumi(project, "stack", "export").fine().output))


@contextmanager
def workspace(folder: Path, cloud: Cloud, warm: Path, install: Install | None = None) -> Iterator[Workspace]:
    """``warm``: the socket of a warm Python. With ``install`` what is for Kubernetes goes where kubeconfigs lead."""
    if not (TOOLS / "pulumi").exists():
        pytest.fail(f"there is no {TOOLS / 'pulumi'}: make tools")
    for project in PROJECTS:
        shutil.copytree(
            ROOT / "infra" / project, folder / "infra" / project, ignore=shutil.ignore_patterns("__pycache__")
        )
    (folder / ".venv").symlink_to(ROOT / ".venv")
    _language_host(folder / "bin")
    state = folder / "state"
    state.mkdir()
    # Where no folder can be made for it, no log is kept of what the engine does at its most verbose.
    home = folder / "home"
    home.mkdir()
    (home / "logs").touch()
    machine = {"PATH": f"{folder / 'bin'}:{TOOLS}:/usr/bin:/bin", "HOME": str(folder)}
    reach = install and partial(RealCluster, environment=machine, install=install)
    with closing(Judge(warm)) as judge, serving(cloud, judge, reach) as ports:
        environment = {
            **machine,
            "PULUMI_HOME": str(home),
            **WRITTEN_AT_THE_END,
            **LITTLE_COLLECTING,
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DEBUG_PROVIDERS": ",".join(f"{name}:{port}" for name, port in ports.items()),
            "NO_COLOR": "1",
            language_host.SCRIPT: str(TOOLS / "pulumi-language-python-exec"),
            warm_python.SOCKET: str(warm),
        }
        yield Workspace(folder, cloud, environment)


def _language_host(folder: Path) -> None:
    folder.mkdir()
    command = folder / "pulumi-language-python"
    command.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -S -E "{warm_python.__file__}" host "{language_host.__file__}" "$@"\n'
    )
    command.chmod(0o755)
