"""A mixed-integer linear program, built row by row, and its solution by HiGHS."""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from ..errors import RouterError

Terms = Iterable[tuple[int, float]]
"""(column, coefficient)"""


class SolverMissing(RouterError):
    """scipy is not installed."""

    def __init__(self) -> None:
        super().__init__("the lower bound needs scipy: pip install 'multicloud-llm-router[simulate]'")


class Solution(Struct, frozen=True, kw_only=True):
    """``lower`` is proven: no solution is less. ``gap`` is how far, as a share, the best one found is from it."""

    lower: float
    status: str
    gap: float | None


class Program:
    """Minimise the sum of cost × value over the columns, under rows that are at most, or equal to, a constant."""

    def __init__(self) -> None:
        self.constant = 0.0
        self._cost: list[float] = []
        self._low: list[float] = []
        self._high: list[float] = []
        self._whole: list[int] = []
        self._data: list[float] = []
        self._rows: list[int] = []
        self._columns: list[int] = []
        self._least: list[float] = []
        self._most: list[float] = []

    def column(self, *, cost: float = 0.0, high: float = 1.0, whole: bool = False) -> int:
        """A value between 0 and ``high``."""
        self._cost.append(cost)
        self._low.append(0.0)
        self._high.append(high)
        self._whole.append(int(whole))
        return len(self._cost) - 1

    def at_most(self, terms: Terms, limit: float) -> None:
        self._row(terms, -math.inf, limit)

    def equal(self, terms: Terms, value: float) -> None:
        self._row(terms, value, value)

    def _row(self, terms: Terms, least: float, most: float) -> None:
        row = len(self._most)
        for column, coefficient in terms:
            self._rows.append(row)
            self._columns.append(column)
            self._data.append(coefficient)
        self._least.append(least)
        self._most.append(most)

    def solve(self, time_limit_s: float, gap: float) -> Solution:
        """Raises ``SolverMissing``."""
        optimize, sparse, numpy = _scipy()
        matrix = sparse.csr_array((self._data, (self._rows, self._columns)), shape=(len(self._most), len(self._cost)))
        costs = numpy.array(self._cost)
        scale = 1000 / max(float(abs(costs).sum()), _LEAST)  # the solver's tolerances are absolute
        with _quiet():
            found = optimize.milp(
                c=costs * scale,
                constraints=optimize.LinearConstraint(matrix, self._least, self._most),
                bounds=optimize.Bounds(self._low, self._high),
                integrality=numpy.array(self._whole),
                options={"time_limit": time_limit_s, "mip_rel_gap": gap},
            )
        lower = found.mip_dual_bound
        known = lower is not None and math.isfinite(lower)
        return Solution(
            lower=self.constant + (lower - _TOLERANCE) / scale if known else -math.inf,
            status=_STATUS.get(found.status, "failed"),
            gap=found.mip_gap,
        )


_TOLERANCE = 1e-3
"""Of 1000: what rounding may have put on top of the bound."""
_LEAST = 1e-9

_STATUS = {0: "optimal", 1: "time limit", 2: "infeasible", 3: "unbounded"}


@contextmanager
def _quiet() -> Iterator[None]:
    """HiGHS prints what it thinks of itself past Python to standard output, where a result is expected."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _scipy() -> tuple[Any, Any, Any]:
    try:
        return tuple(map(importlib.import_module, ("scipy.optimize", "scipy.sparse", "numpy")))  # type: ignore[return-value]
    except ImportError as missing:
        raise SolverMissing from missing
