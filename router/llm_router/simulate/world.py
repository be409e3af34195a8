"""The run of a trace: arrivals, and what happens at pools and providers until the last answer is there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Protocol

from ..model import Target
from ..pricing.estimate import list_usd
from ..model import Usage
from .fleet import Fleet
from .job import Job
from .node import Node
from .pool import Pool
from .trace import Trace


class Policy(Protocol):
    """Who answers, and how many nodes there should be."""

    def place(self, job: Job, world: World) -> Iterable[Target]:
        """Targets for a request that arrives now, best first. The first one that takes it gets it."""
        ...

    def finished(self, job: Job, world: World) -> None:
        """An answer is complete now."""
        ...


class World:
    """One run. ``max_waiting`` is how many requests a pool's gate holds beside those that have slots."""

    def __init__(self, fleet: Fleet, max_waiting: int) -> None:
        self.fleet = fleet
        self.pools = {name: Pool(spec) for name, spec in fleet.pools.items()}
        self.now = 0.0
        self._max_waiting = max_waiting
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._events_made = 0
        self._due: dict[Node, int] = {}
        """The event that is valid for a node: the others came before something changed there."""

    def run(self, trace: Trace, policy: Policy) -> list[Job]:
        """Every request of the trace, with who answered it and when."""
        self._policy = policy
        jobs = [Job(request=request) for request in trace.requests]
        for job in jobs:
            self._happen_until(job.request.at_s)
            self.now = job.request.at_s
            self._place(job)
        self._happen_until(math.inf)
        return jobs

    def want(self, pool: str, nodes: int) -> None:
        """Set how many nodes of the pool are wanted; at most one starts at once."""
        found = self.pools[pool]
        ready_at = found.want(nodes, self.now)
        if ready_at is not None:
            self._at(ready_at, lambda: self._node_is_ready(found))

    # ------------------------------------------------------------ requests

    def _place(self, job: Job) -> None:
        for target in self._policy.place(job, self):
            if target.kind == "provider":
                self._send_outside(job, target)
                return
            pool = self.pools[target.owner]
            if self._takes(pool):
                job.target = target.name
                pool.waiting.append(job)
                self._dispatch(pool)
                return

    def _takes(self, pool: Pool) -> bool:
        return pool.has_room() or len(pool.waiting) < self._max_waiting

    def _send_outside(self, job: Job, target: Target) -> None:
        external, request = self.fleet.externals[target.owner], job.request
        job.target = target.name
        job.usd = external_usd(target, request.input_tokens, request.output_tokens)
        job.first_token_s = self.now + external.first_token_s
        job.done_s = job.first_token_s + (request.output_tokens - 1) / external.tokens_per_second
        self._at(job.done_s, lambda: self._policy.finished(job, self))

    def _dispatch(self, pool: Pool) -> None:
        """Whoever waits longest gets the next free slot."""
        while pool.waiting:
            node = pool.emptiest() or pool.emptiest_released()
            if node is None:
                return
            self._advance(pool, node)
            node.take(pool.waiting.popleft())
            self._schedule(pool, node)

    # ------------------------------------------------------------ events

    def _happen_until(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heappop(self._events)
            event()

    def _at(self, time_s: float, event: Callable[[], None]) -> int:
        self._events_made += 1
        heappush(self._events, (time_s, self._events_made, event))
        return self._events_made
