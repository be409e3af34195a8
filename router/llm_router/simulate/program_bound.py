"""A proven lower bound on the bill of any run that keeps the latency limit: a mixed-integer program, solved by HiGHS.

Whatever a run does, full knowledge included, satisfies the program, so no run costs less than its optimum; and the
solver's dual bound is below that optimum even where it ran out of time. What the program keeps of the queue model:

- nodes are whole: an elastic one runs in spells, each paid from the request to start it to the end of its idle tail,
  and none is ready before its cold start is over;
- a request that a pool answers in time has its prompt read, one at a time, within the limit after its arrival: in every
  stretch of time no more is read than the nodes that are ready can read;
- in every longer stretch the prompts and the decoding of what arrives there fit into the time of those nodes, but for
  what is left in their slots at its end;
- each other request is paid outside, but for those that may be late, which are free.

What it leaves out makes it smaller, never larger: reading is never slowed down by decoding, slots are always well
filled, the requests of long traces may be split, and times within a step of the grid are as favourable as can be.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from msgspec import Struct

from .fleet import Fleet, PoolSpec
from .options import Options
from .program import Program
from .trace import Request, Trace

GRID_STEPS = 96
"""Steps of the grid on which nodes run, where pools allow that coarse a one."""
MAX_GRID_STEPS = 400
BURST = 10
"""Requests in a row of which each few are looked at by themselves."""
WHOLE_REQUESTS = 2000
"""In longer traces requests may be split: the program would take too long otherwise."""


class ProgramBound(Struct, frozen=True, kw_only=True):
    """No run in which at most ``late`` requests are late costs less than ``usd``; infinite where there is
    no such run. ``gap`` is how far, as a share, the solver was from its program's optimum."""

    usd: float
    status: str
    gap: float | None


def bound_by_program(
    trace: Trace, fleet: Fleet, options: Sequence[Options], limit_s: float, *, late: int, time_limit_s: float
) -> ProgramBound:
    """Raises ``SolverMissing``."""
    model = _Model(trace, fleet, options, limit_s, late)
    solution = model.program.solve(time_limit_s, gap=0.002)
    infeasible = solution.status == "infeasible"
    return ProgramBound(
        usd=math.inf if infeasible else max(solution.lower, model.floor_usd), status=solution.status, gap=solution.gap
    )


class _Grid(Struct, frozen=True):
    """``steps`` equal steps from 0 to ``end_s``. The last one goes on for ``beyond_s``: what arrives last may be read
    that long after the bill has ended."""

    end_s: float
    steps: int
    beyond_s: float

    @property
    def step_s(self) -> float:
        return self.end_s / self.steps

    def overlap(self, from_s: float, until_s: float) -> Iterator[tuple[int, float, bool]]:
        """(step, seconds of it in between, whether that is all of it)"""
        first = min(self.steps - 1, int(from_s / self.step_s))
        for step in range(first, self.steps):
            start = step * self.step_s
            if start >= until_s:
                return
            end = start + self.step_s + (self.beyond_s if step == self.steps - 1 else 0.0)
            seconds = min(end, until_s) - max(start, from_s)
            if seconds > 0:
                yield step, seconds, start >= from_s and end <= until_s and step < self.steps - 1


class _Unit(Struct, frozen=True):
    """An elastic node: columns by step of whether it is ready at all in it, and for how many seconds."""

    on: Sequence[int]
    ready_s: Sequence[int]


class _Model:
    def __init__(self, trace: Trace, fleet: Fleet, options: Sequence[Options], limit_s: float, late: int) -> None:
        self.program = Program()
        self._requests, self._options, self._limit_s = trace.requests, options, limit_s
        self._pools = [pool for pool in fleet.pools.values() if pool.max_nodes > 0]
        self._arrivals = [request.at_s for request in trace.requests]
        self._grid = _grid(trace.span_s, self._pools, limit_s)
        self._units = {
            pool.name: [self._unit(pool) for _ in range(pool.max_nodes - pool.min_nodes)] for pool in self._pools
        }
        self.floor_usd = sum(pool.min_nodes * pool.usd_per_second for pool in self._pools) * trace.span_s
        self.program.constant += self.floor_usd
        self._answered: dict[str, dict[int, int]] = {pool.name: {} for pool in self._pools}
        self._add_requests(late)
        for pool in self._pools:
            self._add_links(pool)
            self._add_deadlines(pool)
            self._add_work(pool)

    # ------------------------------------------------------------ nodes

    def _unit(self, pool: PoolSpec) -> _Unit:
        program, grid, rate = self.program, self._grid, pool.usd_per_second
        on, ready = [], []
        for step in range(grid.steps):
            start, end = step * grid.step_s, (step + 1) * grid.step_s
            last = step == grid.steps - 1
            possible = max(0.0, end - max(start, pool.cold_start_s))
            may_run = end + (grid.beyond_s if last else 0.0) > pool.cold_start_s
            on.append(program.column(high=1.0 if may_run else 0.0, whole=may_run))
            ready.append(program.column(cost=rate, high=possible))
            program.at_most([(ready[-1], 1.0), (on[-1], -possible)], 0.0)
        for step in range(grid.steps):
            self._add_start_and_end(pool, on, step)
        if 2 * grid.step_s <= pool.cold_start_s + pool.idle_timeout_s:
            # Two spells are further apart than two steps, so that steps in a row belong to one: it lasts all through.
            for step in range(1, grid.steps - 1):
                terms = [(on[step + offset], grid.step_s) for offset in (-1, 0, 1)]
                program.at_most([*terms, (ready[step], -1.0)], 2 * grid.step_s)
        return _Unit(on, ready)

    def _add_start_and_end(self, pool: PoolSpec, on: Sequence[int], step: int) -> None:
        program, grid, rate = self.program, self._grid, pool.usd_per_second
        last = step == grid.steps - 1
        cold_s = max(0.0, pool.cold_start_s - grid.beyond_s) if last else pool.cold_start_s
        starts = program.column(cost=rate * cold_s)
        before = [(on[step - 1], -1.0)] if step else []
        program.at_most([(on[step], 1.0), *before, (starts, -1.0)], 0.0)
        if not last:
            tail_s = min(pool.idle_timeout_s, grid.end_s - (step + 1) * grid.step_s)
            ends = program.column(cost=rate * tail_s)
            program.at_most([(on[step], 1.0), (on[step + 1], -1.0), (ends, -1.0)], 0.0)

    # ------------------------------------------------------------ requests

    def _add_requests(self, late: int) -> None:
        program, free = self.program, []
        for number, (request, options) in enumerate(zip(self._requests, self._options, strict=True)):
            program.constant += options.outside_usd
            free.append(program.column(cost=-options.outside_usd))
            terms = [(free[-1], 1.0)]
            for target in options.inside:
                pool = next(pool for pool in self._pools if pool.name == target.owner)
                if self._may_answer(pool, request):
                    column = self._answered[pool.name][number] = program.column(
                        cost=-options.outside_usd, whole=len(self._requests) <= WHOLE_REQUESTS
                    )
                    terms.append((column, 1.0))
            if options.outside is None:
                program.equal(terms, 1.0)
            elif len(terms) > 1:
                program.at_most(terms, 1.0)
        program.at_most([(column, 1.0) for column in free], late)

    def _may_answer(self, pool: PoolSpec, request: Request) -> bool:
        """In time, by a node that starts at once."""
        reading_s = pool.speed.reading_s(request.input_tokens)
        ready_at = 0.0 if pool.min_nodes else pool.cold_start_s
        return max(request.at_s, ready_at) + reading_s <= request.at_s + self._limit_s + _HAIR

    def _add_links(self, pool: PoolSpec) -> None:
        """Without a node that runs nobody answers."""
        if pool.min_nodes:
            return
        for number, column in self._answered[pool.name].items():
            at_s = self._requests[number].at_s
            steps = [step for step, _, _ in self._grid.overlap(at_s, at_s + self._limit_s)]
            on = [(unit.on[step], -1.0) for unit in self._units[pool.name] for step in steps]
            self.program.at_most([(column, 1.0), *on], 0.0)

    # ------------------------------------------------------------ what nodes can do

    def _add_deadlines(self, pool: PoolSpec) -> None:
        """What arrives between two moments is read between the first and the limit after the second."""
        reading = [
            (self._requests[number].at_s, (column, pool.speed.reading_s(self._requests[number].input_tokens)))
            for number, column in self._answered[pool.name].items()
        ]
        for first in range(len(reading)):
            for last in range(first + 1, min(first + BURST, len(reading))):
                burst = reading[first : last + 1]
                self._fit_in_time(pool, [terms for _, terms in burst], burst[0][0], burst[-1][0])
        times = [at_s for at_s, _ in reading]
        for from_s, until_s in _windows(self._grid.end_s, 2 * self._limit_s, 64 * self._limit_s):
            first, last = bisect_left(times, from_s), bisect_left(times, until_s)
            if last - first > BURST:
                self._fit_in_time(pool, [terms for _, terms in reading[first:last]], from_s, until_s)

    def _fit_in_time(self, pool: PoolSpec, terms: list[tuple[int, float]], from_s: float, until_s: float) -> None:
        if sum(seconds for _, seconds in terms) > (until_s + self._limit_s - from_s) * max(1, pool.min_nodes):
            self._fit(pool, terms, from_s, until_s + self._limit_s, 0.0)

    def _add_work(self, pool: PoolSpec) -> None:
        for from_s, until_s in _windows(self._grid.end_s, self._grid.step_s, self._grid.end_s):
            arriving = list(self._arriving(pool, from_s, until_s))
            speed = pool.speed
            work = [
                speed.work_s(self._requests[number].input_tokens, self._requests[number].output_tokens)
                for number, _ in arriving
            ]
            decoding = sorted(
                work[i] - speed.reading_s(self._requests[number].input_tokens) for i, (number, _) in enumerate(arriving)
            )
            left_s = sum(decoding[-speed.slots :])
            length_s = until_s + self._limit_s - from_s
            if sum(work) > (length_s + left_s) * max(1, pool.min_nodes):
                terms = [(column, seconds) for (_, column), seconds in zip(arriving, work, strict=True)]
                self._fit(pool, terms, from_s, until_s + self._limit_s, left_s)

    def _arriving(self, pool: PoolSpec, from_s: float, until_s: float) -> Iterator[tuple[int, int]]:
        answered = self._answered[pool.name]
        for number in range(bisect_left(self._arrivals, from_s), bisect_left(self._arrivals, until_s)):
            if number in answered:
                yield number, answered[number]

    def _fit(
        self, pool: PoolSpec, terms: list[tuple[int, float]], from_s: float, until_s: float, left_s: float
    ) -> None:
        """The work fits into the time of nodes that are ready, and ``left_s`` more for each node."""
        ready: list[tuple[int, float]] = []
        for unit in self._units[pool.name]:
            steps = list(self._grid.overlap(from_s, until_s))
            ready += [
                (unit.ready_s[step], -1.0) if all_of_it else (unit.on[step], -seconds)
                for step, seconds, all_of_it in steps
            ]
            if left_s:
                ready += [(unit.on[step], -left_s) for step, _, _ in steps]
        self.program.at_most([*terms, *ready], pool.min_nodes * (until_s - from_s + left_s))


_HAIR = 1e-6


def _grid(end_s: float, pools: Sequence[PoolSpec], limit_s: float) -> _Grid:
    elastic = [pool for pool in pools if pool.max_nodes > pool.min_nodes]
    spacing = min((pool.cold_start_s + pool.idle_timeout_s for pool in elastic), default=0.0) / 2
    steps = GRID_STEPS if not spacing else max(GRID_STEPS, math.ceil(end_s / spacing))
    return _Grid(max(end_s, _HAIR), min(steps, MAX_GRID_STEPS), limit_s)


def _windows(end_s: float, least_s: float, most_s: float) -> Iterator[tuple[float, float]]:
    """Half-open stretches that cover everything, each length twice the one before, half overlapping."""
    length_s = least_s
    while True:
        start = 0.0
        while start <= end_s:
            yield start, start + length_s
            start += length_s / 2
        if length_s >= min(most_s, 2 * end_s):
            return
        length_s *= 2
