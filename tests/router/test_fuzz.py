"""No input makes a listener fail or a parser raise what nobody expects; the nightly set tries fifty thousand."""

from __future__ import annotations

import pytest

from tests.router.fuzzing import SURFACES, failures


@pytest.mark.parametrize("surface", SURFACES)
def test_nothing_fails(surface: str) -> None:
    assert failures(surface, 500, seed=1)[:3] == []


@pytest.mark.nightly
@pytest.mark.parametrize("surface", SURFACES)
def test_nothing_fails_of_fifty_thousand(surface: str) -> None:
    assert failures(surface, 1000 * SURFACES[surface][1], seed=2)[:3] == []
