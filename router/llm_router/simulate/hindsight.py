"""Plans that know everything beforehand: the best run found says how well a strategy could have done.

A node's plan comes from a dynamic program over the requests in order of arrival: each one that the node could answer in
time is taken or not, and between two that are taken the node waits, or goes and is started anew. Of partial plans that
leave the node as free only the one that has saved most goes on. Nodes get their plans one after another, each for what
the others leave, and once more until nothing improves.

A plan reckons with the slower reading beside decoding, and with slots roughly. What it is worth is then simulated like
any other run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from .fleet import PoolSpec
from .node import READING_SHARE
from .options import Options
from .trace import Trace

ROUNDS = 4
LABELS = 200
"""Partial plans that go on at a time."""


class NodePlan(Struct, frozen=True, kw_only=True):
    """One node of a pool: ``spells`` are from when to when it is wanted, none for one that runs anyway; ``takes`` the
    numbers of the requests that it answers."""

    pool: str
    spells: tuple[tuple[float, float], ...] = ()
    takes: frozenset[int] = frozenset()
    saved_usd: float = 0.0


class _Label(Struct):
    """A partial plan: everything taken is read at ``free_s`` and done at ``done_s``, until when the node is paid for.
    ``step`` is the last one of it: (request, ready at for a node that was started for it, done, the step before)."""

    free_s: float
    done_s: float
    saved_usd: float
    step: tuple[int, float | None, float, object] | None


def plan_nodes(
    trace: Trace, pools: Sequence[PoolSpec], options: Sequence[Options], limit_s: float, *, slots_count: bool
) -> list[NodePlan]:
    """A plan for every node of these pools, those of the first pool planned first."""
    nodes = [(pool, number < pool.min_nodes) for pool in pools for number in range(pool.max_nodes)]
    plans: list[NodePlan] = [NodePlan(pool=pool.name) for pool, _ in nodes]
    taken: set[int] = set()
    for _ in range(ROUNDS):
        before = [plan.takes for plan in plans]
        for at, (pool, runs_anyway) in enumerate(nodes):
            taken -= plans[at].takes
            plans[at] = _Planner(trace, pool, options, limit_s, runs_anyway, slots_count).plan(taken)
            taken |= plans[at].takes
        if before == [plan.takes for plan in plans]:
            break
    return plans


class _Planner:
    """Plans one node."""

    def __init__(
        self,
        trace: Trace,
        pool: PoolSpec,
        options: Sequence[Options],
        limit_s: float,
        runs_anyway: bool,
        slots_count: bool,
    ) -> None:
        self._requests, self._options, self._pool = trace.requests, options, pool
        self._end_s, self._limit_s, self._slots_count = trace.span_s, limit_s, slots_count
        self._rate = 0.0 if runs_anyway else pool.usd_per_second
        self._cold_s = 0.0 if runs_anyway else pool.cold_start_s
        self._tail_s = 0.0 if runs_anyway else pool.idle_timeout_s
        self._reading = pool.speed.prefill_tokens_per_second * READING_SHARE
        self._step_s = pool.speed.step_of((pool.speed.slots + 1) // 2)

    def plan(self, taken: set[int]) -> NodePlan:
        labels: list[_Label] = []
        for number in range(len(self._requests)):
            if number not in taken and self._may(number):
                labels = self._kept([*labels, *self._taking(number, labels)], self._requests[number].at_s)
        best = max(labels, key=self._worth, default=None)
        if best is None or self._worth(best) <= 0:
            return NodePlan(pool=self._pool.name)
        return self._read_back(best)

    def _may(self, number: int) -> bool:
        inside = self._options[number].inside
        in_time = self._requests[number].input_tokens / self._reading <= self._limit_s
        return in_time and any(target.owner == self._pool.name for target in inside)

    def _taking(self, number: int, labels: Sequence[_Label]) -> Iterator[_Label]:
        """Every partial plan that could take this request too, and the one that starts with it."""
        request = self._requests[number]
        reading_s = request.input_tokens / self._reading
        decoding_s = (request.output_tokens - 1) * self._step_s
        busy_s = max(reading_s, (reading_s + decoding_s) / self._pool.speed.slots) if self._slots_count else reading_s
        latest_s = request.at_s + self._limit_s - reading_s
        value = self._value(number)
        ready_s = max(request.at_s, self._cold_s)
        if ready_s <= latest_s:
            yield self._label(number, ready_s, None, busy_s, reading_s + decoding_s, value)
        for label in labels:
            if label.free_s <= latest_s:
                yield self._label(number, max(request.at_s, label.free_s), label, busy_s, reading_s + decoding_s, value)

    def _label(
        self, number: int, start_s: float, before: _Label | None, busy_s: float, work_s: float, value: float
    ) -> _Label:
        apart_s = self._tail_s + self._cold_s
        if before is None:
            anew, paid_s, saved, done_s = True, self._cold_s, 0.0, start_s
        else:
            anew = start_s - before.done_s > apart_s
            paid_s = apart_s if anew else max(0.0, start_s - before.done_s)
            saved, done_s = before.saved_usd, max(before.done_s, start_s)
        ends_s = max(done_s, start_s + work_s)
        paid_s += min(ends_s, self._end_s) - min(done_s, self._end_s)
        step = (number, start_s if anew else None, ends_s, before.step if before else None)
        return _Label(start_s + busy_s, ends_s, saved + value - self._rate * paid_s, step)

    def _value(self, number: int) -> float:
        options = self._options[number]
        return _NOBODY_ELSE_USD if options.outside is None else options.outside_usd

    def _kept(self, labels: list[_Label], now: float) -> list[_Label]:
        """Those that no other is at least as free as and has saved as much as."""
        worth = {id(label): self._worth_at(label, now) for label in labels}
        labels.sort(key=lambda label: (max(label.free_s, now), -worth[id(label)]))
        kept: list[_Label] = []
        for label in labels:
            if not kept or worth[id(label)] > worth[id(kept[-1])] + _USD_HAIR:
                kept.append(label)
        return kept if len(kept) <= LABELS else [*kept[: LABELS - 1 : 2], *kept[-LABELS // 2 :]]

    def _worth_at(self, label: _Label, now: float) -> float:
        """What it has saved if the node is to be there now."""
        return label.saved_usd - self._rate * min(max(0.0, now - label.done_s), self._tail_s + self._cold_s)

    def _worth(self, label: _Label) -> float:
        return label.saved_usd - self._rate * max(0.0, min(self._tail_s, self._end_s - label.done_s))

    def _read_back(self, label: _Label) -> NodePlan:
        takes, spells, until_s = [], [], label.done_s
        step = label.step
        while step is not None:
            number, ready_s, done_s, before = step
            until_s = max(until_s, done_s)
            takes.append(number)
            if ready_s is not None:
                spells.append((ready_s - self._cold_s, until_s))
                until_s = 0.0
            step = before  # type: ignore[assignment]
        return NodePlan(
            pool=self._pool.name,
            spells=tuple(reversed(spells)) if self._rate else (),
            takes=frozenset(takes),
            saved_usd=self._worth(label),
        )


_USD_HAIR = 1e-12
_NOBODY_ELSE_USD = 1e3
"""What answering is worth where no provider may: more than any node costs."""
