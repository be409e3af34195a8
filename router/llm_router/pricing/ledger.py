"""One record per request, settled exactly once, and totals that add up to the last bit."""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from msgspec import Struct, field

from ..model import Kind, Usage


class AttemptRecord(Struct, frozen=True):
    """One send: to whom, how it ended (``ok`` or the reason of its failure), and what it will be charged for: ``None``
    where nothing came. ``cost_usd`` is ``None`` for nothing, and for what has no known price."""

    target: str
    outcome: str
    usage: Usage | None = None
    cost_usd: float | None = None


class Record(Struct, frozen=True, kw_only=True):
    """What one request came to. ``target`` is who answered (``None``: nobody) with ``usage``; ``cost_usd`` is that of
    all attempts, failed ones included; ``baseline`` the external target that the answer's tokens are priced at for
    comparison. ``None`` amounts are unknown. ``settled_at`` is a Unix time.

    Raises ``ValueError`` for an amount that is NaN, infinite or negative."""

    request_id: str
    settled_at: float
    target: str | None
    kind: Kind | None
    model: str
    reason: str
    status: int
    attempts: tuple[AttemptRecord, ...] = ()
    usage: Usage = Usage()
    cost_usd: float | None = None
    baseline: str | None = None
    baseline_usd: float | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        for name, usd in (("cost_usd", self.cost_usd), ("baseline_usd", self.baseline_usd)):
            if usd is not None and not (math.isfinite(usd) and usd >= 0):
                raise ValueError(f"{name} must be a finite amount that is not negative, got {usd!r}")

    @property
    def savings_usd(self) -> float | None:
        """Baseline cost minus cost; negative where the baseline would have been cheaper."""
        if self.cost_usd is None or self.baseline_usd is None:
            return None
        return self.baseline_usd - self.cost_usd


class ExactSum:
    """A sum of floats without rounding, kept as a whole number of the smallest positive float: the order of addition
    does not matter, and parts add up to the whole."""

    _UNITS = 2**1074

    def __init__(self) -> None:
        self._sum = 0

    def add(self, value: float) -> None:
        numerator, denominator = value.as_integer_ratio()
        self._sum += numerator * (self._UNITS // denominator)

    def include(self, parts: Iterable[ExactSum]) -> ExactSum:
        self._sum += sum(part._sum for part in parts)
        return self

    def __float__(self) -> float:
        return self._sum / self._UNITS


class _Totals(Struct):
    def as_dict(self) -> dict[str, float]:
        values = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: float(value) if isinstance(value, ExactSum) else value for name, value in values}


class _TargetTotals(_Totals):
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    unknown_costs: int = 0
    cost_usd: ExactSum = field(default_factory=ExactSum)


class _BaselineTotals(_Totals):
    """Over the records that have both amounts: what cannot be compared saves nothing."""

    requests: int = 0
    cost_usd: ExactSum = field(default_factory=ExactSum)
    baseline_usd: ExactSum = field(default_factory=ExactSum)
    savings_usd: ExactSum = field(default_factory=ExactSum)


NOBODY = "none"
"""The name under which ``savings`` counts requests that no target answered."""


class Ledger:
    """Keeps the last ``max_records`` records and the totals of all that were ever settled.

    A request id is known for as long as its record is kept: a second settlement within that span is ignored and
    counted.
    """

    def __init__(self, max_records: int = 10_000) -> None:
        if max_records < 1:
            raise ValueError(f"max_records must be at least 1, got {max_records}")
        self._max_records = max_records
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._targets: defaultdict[str, _TargetTotals] = defaultdict(_TargetTotals)
        self._baselines: defaultdict[str, _BaselineTotals] = defaultdict(_BaselineTotals)
        self._duplicates = 0

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        """The kept records, oldest first."""
        return iter(self._records.values())

    def settle(self, record: Record) -> bool:
        """Books the record; false when its request was settled before."""
        if record.request_id in self._records:
            self._duplicates += 1
            return False
        self._records[record.request_id] = record
        if len(self._records) > self._max_records:
            self._records.popitem(last=False)
        self._count(record)
        self._compare(record)
        return True

    def recent(self, n: int) -> list[Record]:
        """The last ``n`` kept records, newest first."""
        return list(islice(reversed(self._records.values()), max(0, n)))

    def savings(self) -> dict[str, Any]:
        """All totals since the start. ``cost_usd`` covers every known cost; the figures under ``baselines`` and the
        overall ``savings_usd`` cover the requests that could be compared."""
        targets, baselines = self._targets.values(), self._baselines.values()
        return {
            "requests": sum(t.requests for t in targets),
            "duplicates": self._duplicates,
            "unknown_costs": sum(t.unknown_costs for t in targets),
            "cost_usd": float(ExactSum().include(t.cost_usd for t in targets)),
            "savings_usd": float(ExactSum().include(b.savings_usd for b in baselines)),
            "targets": {name: totals.as_dict() for name, totals in self._targets.items()},
            "baselines": {name: totals.as_dict() for name, totals in self._baselines.items()},
        }

    def _count(self, record: Record) -> None:
        """The request counts for who answered, tokens and costs for whom each attempt was sent to."""
        self._targets[record.target or NOBODY].requests += 1
        for attempt in record.attempts:
            if attempt.usage is None:
                continue
            totals = self._targets[attempt.target]
            totals.input_tokens += attempt.usage.all_input_tokens
            totals.output_tokens += attempt.usage.output_tokens
            if attempt.cost_usd is None:
                totals.unknown_costs += 1
            else:
                totals.cost_usd.add(attempt.cost_usd)

    def _compare(self, record: Record) -> None:
        if record.baseline is None or record.cost_usd is None or record.baseline_usd is None:
            return
        totals = self._baselines[record.baseline]
        totals.requests += 1
        totals.cost_usd.add(record.cost_usd)
        totals.baseline_usd.add(record.baseline_usd)
        totals.savings_usd.add(record.baseline_usd - record.cost_usd)
