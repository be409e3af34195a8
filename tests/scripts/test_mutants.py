"""Mutants: the small mistakes are those that the page names, a survivor is told from a killed one, and nothing that is
listed as equivalent is there for nothing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.mutants.operators import mutants
from scripts.mutants.run import BEGIN, EQUIVALENT, SUBJECTS, Score, mutated, row, table

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("a < b", {"a <= b", "a >= b"}),
        ("0 <= a < b", {"0 < a < b", "0 > a < b", "0 <= a <= b", "0 <= a >= b", "1 <= a < b"}),
        ("a is b", {"a is not b"}),
        ("a + b", {"a - b"}),
        ("a and b", {"a or b"}),
        ("not a", {"a"}),
        ("a if b else c", {"a if not b else c"}),
        ("min(a, b)", {"max(a, b)"}),
        ("'x'.y", {"'xXX'.y"}),
        ("f(True)", {"f(False)"}),
    ],
)
def test_small_mistakes_in_expressions(text: str, instead: set[str]) -> None:
    assert mistakes(f"x = {text}") == {f"x = {one}" for one in instead}


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("a()", {"pass"}),
        ("a.b = c", {"pass"}),
        ("a += b", {"a -= b", "pass"}),
        ("raise a", {"pass"}),
        ("if a:\n    b = c", {"if not a:\n    b = c"}),
        ("def f():\n    return a", {"def f():\n    return None"}),
        ('def f(a: Literal[\'x\'] | None) -> None:\n    """text"""', set()),
        ("class A(Struct, frozen=True):\n    __slots__ = ('a',)", set()),
    ],
)
def test_small_mistakes_in_statements_and_none_in_types_and_docstrings(text: str, instead: set[str]) -> None:
    assert mistakes(text) == instead


def mistakes(text: str) -> set[str]:
    tree, made = ast.parse(text), set()
    for mutant in mutants(tree):
        with mutant.in_place():
            made.add(ast.unparse(tree))
    assert ast.unparse(tree) == text, "each is taken back"
    return made


def test_killed_is_what_fails_a_test_or_does_not_end() -> None:
    """In a process of its own, because it forks."""
    program = """
import ast
from scripts.mutants.run import in_a_fork, instead
for text, limit_s in ((now, 60), (now.replace("TOO_MANY = 0.5", "TOO_MANY = 0.9"), 60), (now + "while True: pass", 2)):
    mutant = instead("execution/failure_rate.py", ast.parse(text))
    print(in_a_fork(("execution/test_failure_rate.py",), mutant, limit_s))
"""
    module = ROOT / "router" / "llm_router" / "execution" / "failure_rate.py"
    command = [sys.executable, "-c", f"now = {module.read_text()!r}\n{program}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "False"]


def test_each_one_listed_as_equivalent_is_a_mutant_and_has_a_reason_above_it() -> None:
    lines = EQUIVALENT.read_text().splitlines()
    listed = {line for line in lines if not line.startswith("#")}
    modules = {line.partition(":")[0] for line in listed}
    assert modules <= {module for subject in SUBJECTS.values() for module in subject.modules}
    assert listed <= {said for module in modules for said, _ in mutated(module)}
    assert lines[1].startswith("# ")


def test_the_page_keeps_the_rows_that_were_not_measured_anew() -> None:
    page = table(BEGIN, {name: row(name, Score(90, ["x"] * 10)) for name in SUBJECTS})
    assert page.count("| 90 of 100 | 90 % |") == len(SUBJECTS)
    again = table(page, {"cost": row("cost", Score(1, []))})
    assert re.findall(r"^\| (\w+) .* \| (\d+) of", again, re.MULTILINE) == [
        (name, "1" if name == "cost" else "90") for name in SUBJECTS
    ]
