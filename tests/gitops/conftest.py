"""One control plane for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gitops.control_plane import ControlPlane, running_control_plane
from tests.infra.engine.conftest import warm_python as warm_python


@pytest.fixture(scope="package")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with running_control_plane(tmp_path_factory.mktemp("plane")) as running:
        yield running
