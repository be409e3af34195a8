"""Limits and budgets say something."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import Finding, Path
from ..schema import Budget
from .draft import Draft


def budgets_say_something(draft: Draft) -> Iterator[Finding]:
    for i, cluster in draft.clusters():
        yield from empty_budget(("clusters", i, "budget"), cluster.budget)
    for i, provider in draft.providers():
        yield from empty_budget(("externalProviders", i, "budget"), provider.budget)


def empty_budget(path: Path, budget: Budget | None) -> Iterator[Finding]:
    if budget is not None and budget.daily is None and budget.monthly is None:
        yield Finding(path, "limits nothing: say daily, monthly, or both")
