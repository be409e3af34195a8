"""No credential gets to anybody whom it is not for: every byte to targets, callers, operator and log is searched."""

from __future__ import annotations

import pytest

from tests.router.crossing import CALLER, Seen, sizes, watched
from tests.router.routers import MODELS
from tests.router.standins import running_standins


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    with running_standins() as standins:
        return watched(standins, tmp_path_factory.mktemp("watched"), 1)


def test_no_credential_crosses(seen: Seen) -> None:
    assert set(sizes(seen)) == {*MODELS, "in-house", "gated", CALLER, "operator", "log"}
    assert all(size > 500 for place, size in sizes(seen).items() if place != "log"), sizes(seen)
    assert seen.crossed() == []
    # What is looked for is found where it belongs; a gate's key goes nowhere at all.
    assert all(seen.own(name) for name in (*MODELS, "in-house"))
    assert not seen.own("gated")


def test_callers_are_given_no_cookie_and_no_page(seen: Seen) -> None:
    """Although targets set some."""
    answers = seen.bytes_by[CALLER].lower()
    assert b"content-type: application/json" in answers
    assert b"set-cookie" not in answers
    assert b"text/html" not in answers
