"""What was spent and what was saved, by whatever one asks for: tallies of records, and the report made of them.

A *tally* adds up the records of one *group*. All stores give tallies, and one function makes the report, so that the
same records make the same table wherever they are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from ..config.moments import iso
from .money import in_usd, picousd
from .records import NOBODY, Record

CHEAPEST = "cheapest compliant external"
"""What savings are measured against where no baseline is configured."""
DIMENSIONS = ("target", "model", "key", "day", "baseline")
"""What a report may be grouped by."""


class Query(Struct, frozen=True, kw_only=True):
    """Which records (settled from ``since`` on and before ``until``, Unix times, ``None`` without a bound), and by what
    the report groups them."""

    since: float | None = None
    until: float | None = None
    by: tuple[str, ...] = ("target",)

    def covers(self, record: Record) -> bool:
        after = self.since is None or record.settled_at >= self.since
        return after and (self.until is None or record.settled_at < self.until)


class Group(Struct, frozen=True, kw_only=True):
    """What the records of a tally have in common; empty for what they are not grouped by. Only what was compared has
    a ``baseline``."""

    target: str = ""
    model: str = ""
    key: str = ""
    day: str = ""
    baseline: str = ""


class Tally(Struct, kw_only=True):
    """Sums over records. ``charged_picousd`` is every known charge; ``compared`` and the two figures after it cover the
    records that have both a cost and a baseline."""

    requests: int = 0
    unanswered: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: int = 0
    unpriced: int = 0
    charged_picousd: int = 0
    compared: int = 0
    compared_picousd: int = 0
    baseline_picousd: int = 0

    def add(self, record: Record) -> None:
        self.requests += 1
        self.unanswered += record.target is None
        self.input_tokens += record.usage.all_input_tokens
        self.output_tokens += record.usage.output_tokens
        self.estimated += record.usage.estimated
        self.unpriced += record.unpriced
        self.charged_picousd += record.charged_picousd
        if record.cost_usd is not None and record.baseline_usd is not None:
            self.compared += 1
            self.compared_picousd += picousd(record.cost_usd)
            self.baseline_picousd += picousd(record.baseline_usd)

    def include(self, other: Tally) -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


Tallies = Mapping[Group, Tally]


def group_of(record: Record, by: Iterable[str] = DIMENSIONS) -> Group:
    compared = record.savings_usd is not None
    values = {
        "target": record.target or NOBODY,
        "model": record.model or NOBODY,
        "key": record.key or NOBODY,
        "day": record.day,
        "baseline": (record.baseline or NOBODY) if compared else "",
    }
    return Group(**{name: values[name] for name in by})


def tallied(records: Iterable[Record], query: Query) -> dict[Group, Tally]:
    """The records that the query covers, by what it asks for and by baseline."""
    tallies: dict[Group, Tally] = {}
    dimensions = {*query.by, "baseline"}
    for record in records:
        if query.covers(record):
            tallies.setdefault(group_of(record, dimensions), Tally()).add(record)
    return tallies


def report(
    tallies: Tallies, query: Query, *, ledger: str, baseline: str | None, complete: bool, now: float
) -> dict[str, Any]:
    """The whole, the rows by ``query.by`` and the baselines that were compared with, as plain data. Every column of the
    rows adds up to the whole's, and so do the baselines' to what was compared.

    ``ledger`` says where the records are, ``baseline`` what they are measured against now, ``None`` where that is not
    known; ``now`` is a Unix time."""
    whole, rows, baselines = Tally(), dict[tuple[str, ...], Tally](), dict[str, Tally]()
    for group, tally in tallies.items():
        whole.include(tally)
        values = asdict(group)
        rows.setdefault(tuple(values[name] for name in query.by), Tally()).include(tally)
        if group.baseline:
            baselines.setdefault(group.baseline, Tally()).include(tally)
    return {
        "ledger": ledger,
        "baseline": baseline,
        "since": None if query.since is None else iso(query.since),
        "until": iso(now if query.until is None else query.until),
        "complete": complete,
        **_figures(whole),
        "by": list(query.by),
        "rows": [dict(zip(query.by, values, strict=True)) | _figures(row) for values, row in sorted(rows.items())],
        "baselines": {name: _comparison(tally) for name, tally in sorted(baselines.items())},
    }


def _figures(tally: Tally) -> dict[str, Any]:
    return {
        "requests": tally.requests,
        "unanswered": tally.unanswered,
        "input_tokens": tally.input_tokens,
        "output_tokens": tally.output_tokens,
        "estimated": tally.estimated,
        "unknown_costs": tally.unpriced,
        "cost_usd": in_usd(tally.charged_picousd),
        "compared": tally.compared,
        "compared_cost_usd": in_usd(tally.compared_picousd),
        "baseline_usd": in_usd(tally.baseline_picousd),
        "savings_usd": in_usd(tally.baseline_picousd - tally.compared_picousd),
        "not_compared": tally.requests - tally.unanswered - tally.compared,
        "not_compared_cost_usd": in_usd(tally.charged_picousd - tally.compared_picousd),
    }


def _comparison(tally: Tally) -> dict[str, Any]:
    return {
        "requests": tally.compared,
        "cost_usd": in_usd(tally.compared_picousd),
        "baseline_usd": in_usd(tally.baseline_picousd),
        "savings_usd": in_usd(tally.baseline_picousd - tally.compared_picousd),
    }
