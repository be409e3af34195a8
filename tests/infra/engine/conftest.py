from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.engine import warm_python as warm
from tests.infra.engine.cloud import Cloud
from tests.infra.engine.judge import judging
from tests.infra.engine.workspace import Workspace, workspace


@pytest.fixture(scope="package")
def warm_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a Python that has the SDKs imported, and beside it one that judges inputs by them."""
    path = tmp_path_factory.mktemp("warm") / "socket"
    command = [sys.executable, str(warm.__file__), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with judging(path):
            yield path


@pytest.fixture
def place(tmp_path: Path, warm_python: Path) -> Iterator[Workspace]:
    """Empty clouds, and a Pulumi that sees nothing else."""
    with workspace(tmp_path, Cloud(), warm_python) as made:
        yield made
