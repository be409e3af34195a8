from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.router.standins import Standins, running_standins


@pytest.fixture(scope="session")
def running() -> Iterator[Standins]:
    """All three for the whole session, with whatever faults and memories tests have left them."""
    with running_standins() as running:
        yield running


@pytest.fixture
def standins(running: Standins) -> Standins:
    """All three for one test, without faults and without a memory of other tests' requests."""
    running.clear()
    return running
