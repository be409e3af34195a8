"""docs/reference/reliability.md: every case of the catalogue once, each with tests that exist, or with a reason."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "reliability.md"
CASES = {"F": 49, "R": 20, "A": 52, "S": 40, "L": 17, "K": 16}
"""How many there are of each kind: upstream faults, process faults, attacks, signatures, limits, charts."""
REASONS = ("does not apply: ", "not yet", "in part: ")

Row = tuple[str, str, str]


def rows() -> list[Row]:
    """``(id, case, proof)`` of each row of the catalogue."""
    catalogue = PAGE.read_text().partition("## The catalogue")[2]
    return re.findall(r"^\| ([FRASLK]\d+) \| (.+?) \| (.+) \|$", catalogue, re.MULTILINE)


def named(proof: str) -> list[tuple[str, str]]:
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", proof)


@cache
def names_in(path: str) -> frozenset[str]:
    """What pytest collects from a file: functions, and classes of hypothesis's state machines."""
    tree = ast.parse((ROOT / path).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def test_every_case_stands_there_once_and_in_order() -> None:
    assert [row[0] for row in rows()] == [f"{kind}{n}" for kind, count in CASES.items() for n in range(1, count + 1)]
    assert len(rows()) == 194


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_case_names_tests_that_exist_or_a_reason(row: Row) -> None:
    proof = row[2]
    if not proof.startswith(REASONS):
        assert named(proof), "name a test, or say why there is none"
        assert re.sub(r"`[^`]+`|, ", "", proof) == "", "tests only, or a reason first"
    for path, test in named(proof):
        assert test in names_in(path), f"{path} has no {test}"


def test_the_scenarios_of_the_page_are_those_of_the_suite() -> None:
    suite = names_in("tests/e2e/test_failover_scenarios.py")
    listed = re.findall(r"\bS(\d\d)\b", PAGE.read_text().partition("## Figures")[0])
    assert sorted(set(listed)) == sorted({name[6:8] for name in suite if re.match(r"test_s\d\d_", name)})
    assert len(set(listed)) == 16
