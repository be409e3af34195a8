"""Inputs are judged elsewhere as they would be here, and what is wrong with them stops the engine."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.infra.emulation import check, sdk
from tests.infra.engine.judge import Judge
from tests.infra.engine.workspace import Workspace

pytestmark = [pytest.mark.built, pytest.mark.timeout(300)]

BYTES = "random:index/randomBytes:RandomBytes"


def test_it_says_what_the_installed_sdk_says(warm_python: Path) -> None:
    package = sdk.package("random")
    with closing(Judge(warm_python)) as judge:
        for inputs in ({"length": 32}, {}, {"length": "long", "lenght": 3}):
            assert judge.problems("random", BYTES, inputs) == check.problems(package, BYTES, inputs)
        assert judge.problems("random", "random:index/nothing:Nothing", {}) == [
            "unknown resource type random:index/nothing:Nothing"
        ]
        assert judge.properties("random", BYTES) == {"length", "keepers"}
        assert judge.properties("random", "random:index/nothing:Nothing") == frozenset()


PROJECT = """\
name: own-work
runtime: {name: python, options: {virtualenv: ../../.venv}}
"""
PROGRAM = """\
from pulumi import CustomResource


class Bytes(CustomResource):
    def __init__(self, name, **inputs):
        super().__init__("random:index/randomBytes:RandomBytes", name, inputs)


Bytes("right", length=32)
Bytes("wrong", lenght=32)
"""


def test_what_it_has_against_a_resource_stops_the_preview(place: Workspace) -> None:
    folder = place.folder / "infra" / "own"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "__main__.py").write_text(PROGRAM)
    place.init("own")
    told = place.pulumi("own", "preview").refused().output
    assert "length: missing required property" in told
    assert "lenght: unknown property, did you mean length?" in told
    assert place.cloud.things == {}
