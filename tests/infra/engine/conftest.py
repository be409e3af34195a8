from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.engine.cloud import Cloud
from tests.infra.engine.workspace import Workspace, workspace


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workspace]:
    """Empty clouds, and a Pulumi that sees nothing else."""
    with workspace(tmp_path, Cloud()) as made:
        yield made
