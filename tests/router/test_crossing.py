"""No credential gets to anybody whom it is not for: every byte to targets, callers, operator and log is searched."""

from __future__ import annotations

from pathlib import Path

from tests.router.crossing import CALLER, sizes, watched
from tests.router.routers import MODELS
from tests.router.standins import running_standins


def test_no_credential_crosses(tmp_path: Path) -> None:
    with running_standins() as standins:
        seen = watched(standins, tmp_path, 1)
    assert set(sizes(seen)) == {*MODELS, "in-house", "gated", CALLER, "operator", "log"}
    assert all(size > 500 for place, size in sizes(seen).items() if place != "log"), sizes(seen)
    assert seen.crossed() == []
    # What is looked for is found where it belongs; a gate's key goes nowhere at all.
    assert all(seen.own(name) for name in (*MODELS, "in-house"))
    assert not seen.own("gated")
