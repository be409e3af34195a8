"""docs/how-to/add-a-strategy.md works as it stands, and every strategy has its row in the documentation."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from llm_router.model import PoolView
from llm_router.routing.policy import Policy
from llm_router.routing.strategies import STRATEGIES, Candidate, Situation
from tests.router.routing.views import cluster, facts, provider

DOCS = Path(__file__).parents[4] / "docs"


def test_the_documented_strategy_passes_its_documented_test(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (DOCS / "how-to" / "add-a-strategy.md").read_text()
    strategy, registry, test = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    package = STRATEGIES["cost"].__module__.rpartition(".")[0]
    module, tests = ModuleType(f"{package}.least_busy"), ModuleType("test_least_busy")
    module.__package__ = package
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(strategy, "least_busy.py", "exec", dont_inherit=True), module.__dict__)  # noqa: S102 -- our own page
    exec(compile(test, "test_least_busy.py", "exec", dont_inherit=True), tests.__dict__)  # noqa: S102
    tests.test_the_least_busy_is_first_and_equals_go_by_cost()
    ordered = module.least_busy(
        [Candidate(view=cluster("a"), pool=PoolView(in_flight=3)), Candidate(view=provider("b"))],
        Situation(policy=Policy(), facts=facts()),
    )
    assert [candidate.view.target.name for candidate, _ in ordered] == ["b", "a"]
    assert '"least_busy"' in registry
    assert registry.startswith("Strategy = Literal[")


def test_every_strategy_has_its_row_and_every_row_its_strategy() -> None:
    page = (DOCS / "reference" / "strategies.md").read_text().split("## Model names")[0]
    assert sorted(re.findall(r"^\| `(\w+)`", page, re.MULTILINE)) == sorted(STRATEGIES)
