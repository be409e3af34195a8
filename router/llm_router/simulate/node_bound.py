"""A second lower bound, which needs no solver: every node by itself, at prices that keep them apart.

That a request is answered once only is what ties the nodes together. Let each node be paid for a request what it costs
outside less a price λ, and all prices be paid once: for any λ ≥ 0 what the nodes then save at most, each by itself, is
no less than what all of them together can save (Lagrange's relaxation). A few steps along the subgradient raise the
bound.

What one node saves at most comes from a dynamic program over the requests in order of arrival. Its states are the
moments at which everything taken is read; of two, the one that is free later must have saved more by then. It keeps
that prompts are read one at a time, in order and within the limit, and that a node pays for its cold start, for the
time between what it reads and for its idle tail. It leaves out slots and decoding, which makes the bound smaller.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from .fleet import Fleet, PoolSpec
from .options import Options
from .trace import Trace

Taken: TypeAlias = "tuple[int, Taken] | None"
"""The numbers of the requests that were taken, the last one first."""
Label: TypeAlias = "tuple[float, float, Taken]"
"""(free from, USD saved net of the rent until then, taken)"""

LABELS = 256
STALLED = 4
"""Steps without a better bound after which they become half as long."""
ENOUGH = 0.002
"""A share: closer to the best run nobody needs to be."""


def bound_by_nodes(
    trace: Trace,
    fleet: Fleet,
    options: Sequence[Options],
    limit_s: float,
    *,
    late: int,
    reached_usd: float,
    time_limit_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> float:
    """No run with at most ``late`` late requests costs less. ``reached_usd`` is the bill of some run: the steps are
    measured by it."""
    until = clock() + time_limit_s
    worth = [option.outside_usd for option in options]
    always_on = sum(pool.min_nodes * pool.usd_per_second for pool in fleet.pools.values()) * trace.span_s
    dearest = always_on + sum(worth)
    nodes = [
        (_Node(trace, pool, options, limit_s, runs_anyway=anyway), count)
        for pool in fleet.pools.values()
        for anyway, count in ((True, pool.min_nodes), (False, pool.max_nodes - pool.min_nodes))
        if count
    ]
    prices = [0.0] * len(worth)
    best_usd, share, stalled = -math.inf, 1.0, 0
    while True:
        saved, answered = _saved_at_most(nodes, worth, prices, late)
        usd = dearest - saved
        stalled = 0 if usd > best_usd else stalled + 1
        best_usd = max(best_usd, usd)
        if stalled == STALLED:
            share, stalled = share / 2, 0
        excess = [times - 1 for times in answered]
        # Where nobody wants a request and its price is nothing already, it cannot fall.
        norm = sum(e * e for e, price in zip(excess, prices, strict=True) if e > 0 or price > 0)
        if not norm or reached_usd - best_usd < ENOUGH * reached_usd or clock() > until or share < 1e-3:
            return best_usd
        step = share * max(reached_usd - usd, 0.0) / norm
        prices = [min(value, max(0.0, price + step * e)) for value, price, e in zip(worth, prices, excess, strict=True)]


def _saved_at_most(
    nodes: Sequence[tuple[_Node, int]], worth: Sequence[float], prices: Sequence[float], late: int
) -> tuple[float, list[int]]:
    """What all nodes save at most at these prices, and how often each request is answered then."""
    offered = [value - price for value, price in zip(worth, prices, strict=True)]
    saved, answered = sum(prices), [0] * len(worth)
    for node, count in nodes:
        usd, taken = node.best(offered)
        saved += count * usd
        while taken is not None:
            answered[taken[0]] += count
            taken = taken[1]
    for number in sorted(range(len(offered)), key=offered.__getitem__, reverse=True)[:late]:
        saved += offered[number]
        answered[number] += 1
    return saved, answered


class _Node:
    def __init__(
        self, trace: Trace, pool: PoolSpec, options: Sequence[Options], limit_s: float, *, runs_anyway: bool
    ) -> None:
        self._end_s, self._runs_anyway = trace.span_s, runs_anyway
        self._rate = 0.0 if runs_anyway else pool.usd_per_second
        self._cold_s = 0.0 if runs_anyway else pool.cold_start_s
        self._tail_s = 0.0 if runs_anyway else pool.idle_timeout_s
        self._requests = [
            (number, request.at_s, reading_s, request.at_s + limit_s - reading_s + _HAIR)
            for number, (request, option) in enumerate(zip(trace.requests, options, strict=True))
            if any(target.owner == pool.name for target in option.inside)
            and (reading_s := pool.speed.reading_s(request.input_tokens)) <= limit_s + _HAIR
        ]

    def best(self, offered: Sequence[float]) -> tuple[float, Taken]:
        """The most that it can save, and by which requests."""
        # Never started: what starting costs is what coming back costs, less the idle tail that it does not pay.
        labels: list[Label] = [(-math.inf, self._rate * self._tail_s, None)]
        for number, at_s, reading_s, latest_s in self._requests:
            if offered[number] > 0:
                labels = self._extended(labels, number, at_s, reading_s, latest_s, offered[number])
        best = max(labels, key=self._worth)
        return max(0.0, self._worth(best)), best[2] if self._worth(best) > 0 else None

    def _extended(
        self, labels: list[Label], number: int, at_s: float, reading_s: float, latest_s: float, usd: float
    ) -> list[Label]:
        """The same plans, with the request and without it, as far as no other is better."""
        rate, apart_s, end_s = self._rate, self._tail_s + self._cold_s, self._end_s
        waiting: list[Label] = []
        later: list[Label] = []
        best: Label | None = None
        for label in labels:
            free_s, saved, taken = label
            if free_s > at_s:
                later.append(label)
                if free_s <= latest_s:
                    paid_s = max(0.0, min(free_s + reading_s, end_s) - min(free_s, end_s))
                    later.append((free_s + reading_s, saved + usd - rate * paid_s, (number, taken)))
                continue
            waiting.append(label)
            start_s = max(at_s, self._cold_s)
            if start_s <= latest_s:
                gap_s = min(start_s - free_s, apart_s) - max(0.0, start_s - end_s)
                paid_s = max(0.0, gap_s) + max(0.0, min(start_s + reading_s, end_s) - min(start_s, end_s))
                new_saved = saved + usd - rate * paid_s
                if best is None or new_saved > best[1]:
                    best = (start_s + reading_s, new_saved, (number, taken))
        if best is not None:
            later.append(best)
        return self._idle(waiting) + self._busy(
            later, max((self._by_then(label) for label in waiting), default=-math.inf)
        )

    def _idle(self, labels: list[Label]) -> list[Label]:
        """Of nodes that wait: the best one if it goes on at once, the best one if it is away for long, and between."""
        if len(labels) < 2:
            return labels
        labels.sort(key=lambda label: (self._by_then(label), label[1]), reverse=True)
        kept = labels[:1]
        for label in labels[1:]:
            if label[1] > kept[-1][1]:
                kept.append(label)
        return kept

    def _busy(self, labels: list[Label], least: float) -> list[Label]:
        labels.sort(key=lambda label: label[0])
        kept: list[Label] = []
        for label in labels:
            by_then = self._by_then(label)
            if by_then > least:
                kept.append(label)
                least = by_then
        return kept if len(kept) <= LABELS else self._fewer(kept)

    def _fewer(self, labels: list[Label]) -> list[Label]:
        """Half as many: of two neighbours one that is free as early as the one and has saved as much as the other."""
        merged = [
            (early[0], self._by_then(late) - self._rate * early[0], late[2])
            for early, late in zip(labels[::2], labels[1::2], strict=False)
        ]
        return merged if len(labels) % 2 == 0 else [*merged, labels[-1]]

    def _by_then(self, label: Label) -> float:
        """Comparable between plans that are free at different moments: saved, with the rent until then given back."""
        return label[1] + self._rate * label[0] if self._rate else label[1]

    def _worth(self, label: Label) -> float:
        if label[2] is None:
            return 0.0
        return label[1] - self._rate * max(0.0, min(self._tail_s, self._end_s - label[0]))


_HAIR = 1e-6
"""Seconds: as much as the queue model takes for now."""
