"""The ledger in memory: one record per request, settled exactly once; the last ones are kept, the others added up."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from msgspec import Struct

from .money import in_usd, picousd
from .past import Past
from .records import NOBODY, Record
from .savings import Query, Tallies, tallied


class _Totals(Struct):
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    unknown_costs: int = 0
    picousd: int = 0


class Ledger:
    """Keeps the last ``max_records`` records, and sums of all that were ever settled.

    A request id is known for as long as its record is kept: a second settlement within that span is ignored and
    counted. ``also`` gets each record that is booked.
    """

    def __init__(self, max_records: int = 10_000, *, also: Callable[[Record], None] = lambda _record: None) -> None:
        if max_records < 1:
            raise ValueError(f"max_records must be at least 1, got {max_records}")
        self._max_records, self._also = max_records, also
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._targets: defaultdict[str, _Totals] = defaultdict(_Totals)
        self._past = Past()
        self.duplicates = 0

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        """The kept records, oldest first."""
        return iter(self._records.values())

    def settle(self, record: Record) -> bool:
        """Books the record; false when its request was settled before."""
        if record.request_id in self._records:
            self.duplicates += 1
            return False
        self._records[record.request_id] = record
        self._count(record)
        self._also(record)
        if len(self._records) > self._max_records:
            self._past.add(self._records.popitem(last=False)[1])
        return True

    def recent(self, n: int) -> list[Record]:
        """The last ``n`` kept records, newest first."""
        return list(islice(reversed(self._records.values()), max(0, n)))

    def tallies(self, query: Query) -> tuple[Tallies, bool]:
        """Sums since the start, and whether they are complete: of what is no longer kept, whole days are known only."""
        tallies = tallied(self, query)
        complete = self._past.add_to(tallies, query)
        return tallies, complete

    def totals(self) -> dict[str, dict[str, Any]]:
        """By target, since the start: the request counts for who answered, tokens and costs for whom each attempt was
        sent to."""
        return {
            name: {
                "requests": totals.requests,
                "input_tokens": totals.input_tokens,
                "output_tokens": totals.output_tokens,
                "unknown_costs": totals.unknown_costs,
                "cost_usd": in_usd(totals.picousd),
            }
            for name, totals in self._targets.items()
        }

    def _count(self, record: Record) -> None:
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
                totals.picousd += picousd(attempt.cost_usd)
