"""Sums of records that are no longer kept, day by day."""

from __future__ import annotations

from datetime import UTC, datetime

from .records import Record
from .savings import Group, Query, Tally, group_of

MAX_CELLS = 20_000
DAY_S = 86_400.0
OLD = "(older)"
"""Stands for every target, model and key of a day whose details had to go."""


class Past:
    """A tally for each day, target, model, key and baseline; at most ``max_cells`` of them: then the oldest day keeps
    its sums, and loses its details."""

    def __init__(self, max_cells: int = MAX_CELLS) -> None:
        self._max_cells = max_cells
        self._days: dict[str, dict[Group, Tally]] = {}
        self._cells = 0

    def add(self, record: Record) -> None:
        group = group_of(record)
        cells = self._days.setdefault(group.day, {})
        self._cells += group not in cells
        cells.setdefault(group, Tally()).add(record)
        if self._cells > self._max_cells:
            self._simplify()

    def add_to(self, tallies: dict[Group, Tally], query: Query) -> bool:
        """Adds the days that the query covers; false where it covers a part of one."""
        complete = True
        for day, cells in self._days.items():
            begins = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
            ends = begins + DAY_S
            if (query.since is not None and query.since >= ends) or (query.until is not None and query.until <= begins):
                continue
            if (query.since is None or query.since <= begins) and (query.until is None or query.until >= ends):
                for group, tally in cells.items():
                    shown = {name: getattr(group, name) for name in {*query.by, "baseline"}}
                    tallies.setdefault(Group(**shown), Tally()).include(tally)
            else:
                complete = False
        return complete

    def _simplify(self) -> None:
        """Folds the oldest day that still has details."""
        for day in sorted(self._days):
            cells = self._days[day]
            folded: dict[Group, Tally] = {}
            for group, tally in cells.items():
                plain = Group(target=OLD, model=OLD, key=OLD, day=day, baseline=group.baseline)
                folded.setdefault(plain, Tally()).include(tally)
            if len(folded) < len(cells):
                self._days[day] = folded
                self._cells -= len(cells) - len(folded)
                return
