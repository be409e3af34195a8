"""From samples to tables: medians, minima, and ratios between figures of the same round."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from scripts.bench.load import Result
from scripts.bench.traffic import WORKLOADS

BASE = "nginx"
DIRECT = "direct"
"""The stand-in without a gateway: what a latency is compared with."""


class Sample(Struct, frozen=True, kw_only=True):
    """One target under one workload in one round. ``cpu_us`` is user and system time per right answer, ``None`` where
    none came."""

    round: int
    target: str
    workload: str
    cpu_us: float | None
    result: Result


class Figures(Struct, frozen=True):
    median: float
    least: float
    most: float


def figures(values: Sequence[float]) -> Figures | None:
    return Figures(statistics.median(values), min(values), max(values)) if values else None


class Samples:
    """All that was measured. Comparisons are made within a round, where both sides met the same neighbours."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = {(sample.target, sample.workload, sample.round): sample for sample in samples}
        self.targets = list(dict.fromkeys(target for target, _, _ in self._samples))
        self.workloads = list(dict.fromkeys(workload for _, workload, _ in self._samples))

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._samples.values())

    def cpu_us(self, target: str, workload: str) -> Figures | None:
        return figures([s.cpu_us for s in self._of(target, workload) if s.cpu_us is not None])

    def latency_us(self, target: str, workload: str) -> Figures | None:
        return figures([s.result.p50_us for s in self._of(target, workload) if s.result.p50_us is not None])

    def ratio(self, target: str, workload: str) -> Figures | None:
        """CPU time over nginx's."""
        return figures(self._paired(target, BASE, workload, lambda s: s.cpu_us, lambda a, b: a / b))

    def added_us(self, target: str, workload: str) -> Figures | None:
        """Median latency beyond that of the stand-in alone."""
        return figures(self._paired(target, DIRECT, workload, lambda s: s.result.p50_us, lambda a, b: a - b))

    def errors(self) -> list[str]:
        return [
            f"{s.target} {s.workload}: {s.result.errors} wrong answers, the first: {s.result.first_error}"
            for s in self._samples.values()
            if s.result.errors or not s.result.ok
        ]

    @property
    def verified(self) -> int:
        return sum(sample.result.ok for sample in self._samples.values())

    def _of(self, target: str, workload: str) -> list[Sample]:
        return [s for (t, w, _), s in self._samples.items() if (t, w) == (target, workload)]

    def _paired(
        self,
        target: str,
        base: str,
        workload: str,
        figure: Callable[[Sample], float | None],
        compare: Callable[[float, float], float],
    ) -> list[float]:
        compared = []
        for sample in self._of(target, workload):
            other = self._samples.get((base, workload, sample.round))
            mine, theirs = figure(sample), figure(other) if other is not None else None
            if mine is not None and theirs:
                compared.append(compare(mine, theirs))
        return compared


def tables(samples: Samples) -> str:
    """CPU time, its ratio to nginx's, and the latency that each target adds, as far as they were measured."""
    return "\n\n".join(filter(None, [_cpu_table(samples), _ratio_table(samples), _latency_table(samples)]))


def _cpu_table(samples: Samples) -> str:
    rows = {
        target: [_median_min(samples.cpu_us(target, workload)) for workload in samples.workloads]
        for target in samples.targets
        if target != DIRECT
    }
    return _table("CPU µs per verified request: median (min)", samples.workloads, rows)


def _ratio_table(samples: Samples) -> str:
    if BASE not in samples.targets:
        return ""
    rows = {
        target: [_median_range(samples.ratio(target, workload)) for workload in samples.workloads]
        for target in samples.targets
        if target not in (BASE, DIRECT)
    }
    goals = [WORKLOADS[workload].goal for workload in samples.workloads]
    rows["goal"] = ["" if goal is None else f"≤ {goal:g}" for goal in goals]
    return _table("ratio to nginx of the same round: median [min-max]", samples.workloads, rows)


def _latency_table(samples: Samples) -> str:
    alone = [workload for workload in samples.workloads if WORKLOADS[workload].connections == 1]
    if not alone:
        return ""
    rows = {
        target: [
            _median_min(found)
            for workload in alone
            for found in (samples.latency_us(target, workload), samples.added_us(target, workload))
        ]
        for target in samples.targets
    }
    columns = [column for workload in alone for column in (f"{workload} p50", f"{workload} added")]
    return _table("latency in µs, and what is added to the upstream's own: median (min)", columns, rows)


def _median_min(found: Figures | None) -> str:
    return "-" if found is None else f"{found.median:.0f} ({found.least:.0f})"


def _median_range(found: Figures | None) -> str:
    return "-" if found is None else f"{found.median:.1f} [{found.least:.1f}-{found.most:.1f}]"


def _table(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    first = max(map(len, rows), default=0)
    widths = [max(len(column), *(len(cells[i]) for cells in rows.values())) for i, column in enumerate(columns)]
    lines = [title]
    for name, cells in {"": columns, **rows}.items():
        padded = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        lines.append(f"  {name:{first}}  {'  '.join(padded)}".rstrip())
    return "\n".join(lines)
