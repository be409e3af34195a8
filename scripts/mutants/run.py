#!/usr/bin/env python3
"""Puts small mistakes into the modules whose errors would cost most, one at a time, and runs the tests that mirror
each: a mistake that no test notices shows what is not tested. Writes the score into docs/reference/reliability.md.

    python scripts/mutants/run.py [--only breaker] [--print]

Each mutant runs in a process of its own that has all third-party packages imported already. Killed is what fails a
test, cannot be imported or takes far longer than the tests usually do. Hypothesis draws the same examples every time.
The mutants of equivalent.txt change nothing that anybody could see; they count neither way.
"""

from __future__ import annotations

import ast
import os
import re
import resource
import select
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from io import StringIO
from pathlib import Path
from types import CodeType
from typing import NamedTuple

import click
import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.mutants.operators import mutants  # noqa: E402

PACKAGE = ROOT / "router" / "llm_router"
PAGE = ROOT / "docs" / "reference" / "reliability.md"
EQUIVALENT = ROOT / "scripts" / "mutants" / "equivalent.txt"
BEGIN, END = "<!-- mutants: scripts/mutants/run.py -->", "<!-- end of mutants -->"
PROMISED = 0.85
CPU_MINUTES = 10
"""More than that it does not take: it gives up."""


class Subject(NamedTuple):
    modules: tuple[str, ...]
    tests: tuple[str, ...]


SUBJECTS = {
    "signing": Subject(("upstream/signing.py",), ("upstream/test_signing.py",)),
    "breaker": Subject(
        ("execution/breaker.py", "execution/failure_rate.py"),
        ("execution/test_breaker.py", "execution/test_failure_rate.py"),
    ),
    "limits": Subject(
        ("admission/limits.py", "admission/window.py", "admission/book.py"),
        ("admission/test_limits.py", "admission/test_window.py", "admission/test_book.py"),
    ),
    "requirements": Subject(("routing/requirements.py",), ("routing/test_requirements.py",)),
    "cost": Subject(("pricing/cluster_cost.py",), ("pricing/test_cluster_cost.py",)),
}


class Score(NamedTuple):
    killed: int
    survivors: Sequence[str]

    @property
    def share(self) -> float:
        return self.killed / (self.killed + len(self.survivors))


class Instead(SourceFileLoader):
    """Gives a module other code than its file has."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        super().__init__(name, str(path))
        self._code = code

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, fullname: str) -> CodeType:
        return self._code


def run_tests(tests: Sequence[str], *options: str) -> int:
    """pytest's exit status. Without the conftest files: these tests need none of the real servers."""
    files = [str(ROOT / "tests" / "router" / test) for test in tests]
    plain = ("-q", "-x", "--noconftest", "--assert=plain", "-p", "no:cacheprovider", "-o", "timeout=0")
    return int(pytest.main([*plain, "--rootdir", str(ROOT), *options, *files]))


def forget_ours() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("llm_router", "tests")]:
        del sys.modules[name]


def in_a_fork(tests: Sequence[str], it: Instead, limit_s: float) -> bool:
    """Whether the tests pass, within the time."""
    pid = os.fork()
    if pid == 0:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        sys.meta_path.insert(0, it)
        status = 1
        try:
            status = run_tests(tests)
        finally:
            os._exit(status)
    ended = os.pidfd_open(pid)
    if not select.select([ended], [], [], limit_s)[0]:
        os.kill(pid, signal.SIGKILL)
    os.close(ended)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def score(subject: Subject, equivalent: frozenset[str]) -> Score:
    with redirect_stdout(StringIO()):
        run_tests(subject.tests, "--collect-only")  # imports what they need
    forget_ours()
    began = time.monotonic()
    for module in subject.modules:  # by the same way as a mutant
        if not in_a_fork(subject.tests, instead(module, ast.parse((PACKAGE / module).read_text())), limit_s=120):
            raise click.ClickException(f"{module}: its tests fail without any mutant")
    limit_s = 10 + 5 * (time.monotonic() - began)
    killed, survivors = 0, []
    for said, mutant in (mutant for module in subject.modules for mutant in mutated(module)):
        if said in equivalent:
            continue
        if cpu_s() > CPU_MINUTES * 60:
            raise click.ClickException(f"{CPU_MINUTES} minutes of CPU time are over")
        if in_a_fork(subject.tests, mutant, limit_s):
            survivors.append(said)
        else:
            killed += 1
    return Score(killed, survivors)


def mutated(module: str) -> Iterator[tuple[str, Instead]]:
    """Each mutant in words, and as a module."""
    text = (PACKAGE / module).read_text()
    tree, lines = ast.parse(text), text.splitlines()
    for mutant in mutants(tree):
        with mutant.in_place():
            yield f"{module}: {lines[mutant.line - 1].strip()}: {mutant.what}", instead(module, tree)


def instead(module: str, tree: ast.Module) -> Instead:
    name = "llm_router." + module.removesuffix(".py").replace("/", ".")
    path = PACKAGE / module
    return Instead(name, path, compile(ast.fix_missing_locations(tree), path, "exec"))


def cpu_s() -> float:
    of = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in of)


def row(name: str, result: Score) -> str:
    modules = ", ".join(f"`{module}`" for module in SUBJECTS[name].modules)
    total = result.killed + len(result.survivors)
    return f"| {name} | {modules} | {result.killed} of {total} | {100 * result.share:.0f} % |"


def table(page: str, measured: dict[str, str]) -> str:
    """The page's, with the rows that were measured anew."""
    before = page.partition(BEGIN)[2].partition(END)[0].splitlines()
    rows = {line.split(" | ")[0].strip("| "): line for line in before if line.startswith("| ")} | measured
    head = ["| what | modules | killed | share |", "| --- | --- | --- | --- |"]
    return "\n".join([BEGIN, "", *head, *(rows[name] for name in SUBJECTS if name in rows), "", END])


def write(name: str, result: Score) -> None:
    page = PAGE.read_text()
    written = table(page, {name: row(name, result)})
    PAGE.write_text(re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: written, page, flags=re.DOTALL))


@click.command()
@click.option("--only", multiple=True, type=click.Choice([*SUBJECTS]), help="Measure this one; may be repeated.")
@click.option("--print", "only_print", is_flag=True, help="Leave the page alone.")
def main(only: Sequence[str], only_print: bool) -> None:
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]  # a counterexample need not be a small one
    hypothesis.settings.register_profile("mutants", deadline=None, derandomize=True, database=None, phases=phases)
    hypothesis.settings.load_profile("mutants")
    equivalent = frozenset(line for line in EQUIVALENT.read_text().splitlines() if not line.startswith("#"))
    weak = []
    for name in only or SUBJECTS:
        result = score(SUBJECTS[name], equivalent)
        for survivor in result.survivors:
            click.echo(f"  survived: {survivor}")
        click.echo(
            f"{name}: {result.killed} killed, {len(result.survivors)} survived, {cpu_s():.0f} s of CPU time so far"
        )
        if not only_print:
            write(name, result)
        if result.share < PROMISED:
            weak.append(name)
    if weak:
        raise click.ClickException(f"less than {PROMISED:.0%} killed: {', '.join(weak)}")


if __name__ == "__main__":
    main()
