"""The run of a trace: arrivals, and what happens at pools and providers until the last answer is there."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Protocol

from ..model import Target, Usage
from ..pricing.estimate import list_usd
from .fleet import Fleet
from .job import Job
from .node import Node
from .pool import Pool
from .trace import Trace


class Policy(Protocol):
    """Who answers, and how many nodes there should be."""

    def begin(self, world: World) -> None:
        """Before the first arrival."""
        ...

    def place(self, job: Job, world: World) -> Iterable[Target]:
        """Targets for a request that arrives now, best first. The first one that takes it gets it."""
        ...

    def nodes_changed(self, pool: Pool, world: World) -> None:
        """A node of the pool came or went."""
        ...

    def idles(self, pool: Pool, world: World) -> None:
        """A node of the pool has idled for the pool's timeout. It goes once it is not wanted."""
        ...

    def finished(self, job: Job, world: World) -> None:
        """An answer is complete now."""
        ...


class World:
    """One run of ``trace``. ``max_waiting`` is how many requests a pool's gate holds beside those that have slots."""

    def __init__(self, fleet: Fleet, trace: Trace, policy: Policy, max_waiting: int) -> None:
        self.fleet = fleet
        self.pools = {name: Pool(spec) for name, spec in fleet.pools.items()}
        self.now = 0.0
        self.pending: Counter[str] = Counter()
        """Requests under way, by target."""
        self.ends_at = trace.span_s
        """The last arrival: the bill ends there, and nothing is started any more."""
        self._policy, self._max_waiting = policy, max_waiting
        self._requests = trace.requests
        self._events: list[tuple[float, int, Callable[[int], None]]] = []
        self._events_made = 0
        self._due: dict[Node, int] = {}
        """Node → the one event of it that is valid: others were made before something changed there."""

    def run(self) -> list[Job]:
        """Every request of the trace, with who answered it and when."""
        self._policy.begin(self)
        jobs = [Job(number=number, request=request) for number, request in enumerate(self._requests)]
        for job in jobs:
            self._happen_until(job.request.at_s)
            self.now = job.request.at_s
            self._place(job)
        self._happen_until(math.inf)
        return jobs

    def want(self, name: str, nodes: int) -> None:
        """Set how many nodes of a pool are wanted."""
        pool = self.pools[name]
        if self.now > self.ends_at:
            return
        for ready_at in pool.want(nodes, self.now):
            self.at(ready_at, lambda: self._node_is_ready(pool))
        self._remove_released(pool)

    def at(self, time_s: float, event: Callable[[], None]) -> None:
        """Let something happen at that time, or now if that has passed."""
        self._push(max(time_s, self.now), lambda _number: event())

    # ------------------------------------------------------------ requests

    def _place(self, job: Job) -> None:
        for target in self._policy.place(job, self):
            if target.kind == "provider":
                self._send(job, target)
                self._answer_outside(job, target)
                return
            pool = self.pools[target.owner]
            if pool.has_room() or len(pool.waiting) < self._max_waiting:
                self._send(job, target)
                pool.waiting.append(job)
                self._dispatch(pool)
                return

    def _send(self, job: Job, target: Target) -> None:
        job.target = target.name
        self.pending[target.name] += 1

    def _answer_outside(self, job: Job, target: Target) -> None:
        external, request = self.fleet.externals[target.owner], job.request
        job.usd = external_usd(target, request.input_tokens, request.output_tokens)
        job.first_token_s = self.now + external.first_token_s
        job.done_s = job.first_token_s + (request.output_tokens - 1) / external.tokens_per_second
        self.at(job.done_s, lambda: self._finish(job))

    def _finish(self, job: Job) -> None:
        self.pending[job.target] -= 1
        self._policy.finished(job, self)

    def _dispatch(self, pool: Pool) -> None:
        """Whoever waits longest gets the next free slot."""
        while pool.waiting:
            node = pool.emptiest()
            if node is None:
                return
            self._advance(node)
            node.take(pool.waiting.popleft())
            self._schedule(pool, node)

    # ------------------------------------------------------------ events

    def _node_is_ready(self, pool: Pool) -> None:
        pool.add_ready_node(self.now)
        self._policy.nodes_changed(pool, self)
        self._dispatch(pool)
        self._look_for_idle_nodes(pool)

    def _work_goes_on(self, pool: Pool, node: Node, number: int) -> None:
        if self._due.get(node) != number:
            return
        self._advance(node)
        self._schedule(pool, node)
        self._dispatch(pool)
        if not node.busy:
            self._look_for_idle_nodes(pool)

    def _advance(self, node: Node) -> None:
        for job in node.advance(self.now):
            self._finish(job)

    def _schedule(self, pool: Pool, node: Node) -> None:
        next_s = node.next_event()
        if next_s == math.inf:
            self._due.pop(node, None)
        else:
            self._due[node] = self._push(next_s, lambda number: self._work_goes_on(pool, node, number))

    def _look_for_idle_nodes(self, pool: Pool) -> None:
        """After the time that nodes may idle."""

        def look() -> None:
            if self.now <= self.ends_at and pool.idle_nodes(self.now):
                self._policy.idles(pool, self)
                self._remove_released(pool)

        self.at(self.now + pool.spec.idle_timeout_s, look)

    def _remove_released(self, pool: Pool) -> None:
        before = len(pool.nodes)
        pool.remove_released(self.now)
        if len(pool.nodes) < before:
            self._policy.nodes_changed(pool, self)

    def _push(self, time_s: float, event: Callable[[int], None]) -> int:
        self._events_made += 1
        heappush(self._events, (time_s, self._events_made, event))
        return self._events_made

    def _happen_until(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, number, event = heappop(self._events)
            event(number)


def external_usd(target: Target, input_tokens: int, output_tokens: int) -> float:
    """What a provider charges for a request at its list price."""
    if target.list_price is None:
        raise ValueError(f"{target.name} has no list price")
    return list_usd(target.list_price, Usage(input_tokens=input_tokens, output_tokens=output_tokens))
