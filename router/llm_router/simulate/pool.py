"""A pool: its nodes from the request to start them to their end, and the gate where requests wait for a slot."""

from __future__ import annotations

from collections import deque

from ..model import State
from .fleet import PoolSpec
from .job import Job
from .node import READING_SHARE, Node


class Pool:
    """``wanted`` nodes may take requests; those above it are released: they finish what they have and go when they have
    idled for the pool's timeout. Elastic nodes that idle that long go in any case, ``min_nodes`` always stay.
    """

    def __init__(self, spec: PoolSpec) -> None:
        self.spec = spec
        self.wanted = spec.min_nodes
        self.nodes = [Node(spec.speed, 0.0) for _ in range(spec.min_nodes)]
        self.starting: list[float] = []
        """When each node that starts will be ready, ascending."""
        self.waiting: deque[Job] = deque()
        self.spells: list[tuple[float, float]] = []
        """From when to when each elastic node that is gone was paid for."""
        self._started = {id(node): 0.0 for node in self.nodes}

    # ------------------------------------------------------------ what the router sees

    @property
    def state(self) -> State:
        if self.open_nodes:
            return "up"
        if self.nodes:
            return "draining"
        return "starting" if self.starting else "zero"

    @property
    def open_nodes(self) -> list[Node]:
        """Those that take new requests, the longest-running ones."""
        return self.nodes if len(self.nodes) <= self.wanted else self.nodes[: self.wanted]

    @property
    def slots(self) -> int:
        return self.spec.speed.slots * max(1, len(self.open_nodes))

    @property
    def in_flight(self) -> int:
        return len(self.waiting) + sum(node.busy for node in self.nodes)

    def first_token_s(self, input_tokens: int) -> float:
        """Predicted time to the first token of a request that comes now, at the node that would take it."""
        node = self.emptiest()
        ahead = sum(job.request.input_tokens for job in self.waiting) + (node.tokens_ahead if node else 0.0)
        speed = self.spec.speed.prefill_tokens_per_second
        return (ahead + input_tokens) / (speed * READING_SHARE if node is not None and node.decodes else speed)

    def has_room(self) -> bool:
        return not self.waiting and any(node.has_room for node in self.open_nodes)

    def emptiest(self) -> Node | None:
        """The open node with a free slot that has the least to read; of equals, the one that has run longest."""
        open_ = [node for node in self.open_nodes if node.has_room]
        return min(open_, key=lambda node: node.tokens_ahead, default=None)

    # ------------------------------------------------------------ what happens to it

    def want(self, nodes: int, now: float) -> float | None:
        """From now on ``nodes`` nodes are wanted. Returns when the one that starts now, if any, will be ready: one at a
        time."""
        self.wanted = min(self.spec.max_nodes, max(self.spec.min_nodes, nodes))
        if len(self.nodes) + len(self.starting) >= self.wanted:
            return None
        ready_at = now + self.spec.cold_start_s
        self.starting.append(ready_at)
        return ready_at

    def add_ready_node(self, now: float) -> None:
        self.starting.pop(0)
        node = Node(self.spec.speed, now)
        self.nodes.append(node)
        self._started[id(node)] = now - self.spec.cold_start_s

    def remove_idle(self, now: float) -> None:
        """Nodes above ``min_nodes`` that have idled for the timeout go, the youngest first."""
        for node in reversed(self.nodes[:]):
            if len(self.nodes) <= self.spec.min_nodes:
                return
            if not node.busy and node.idle_since + self.spec.idle_timeout_s <= now + _HAIR:
                self.nodes.remove(node)
                self.spells.append((self._started.pop(id(node)), node.idle_since + self.spec.idle_timeout_s))
                self.wanted = max(self.spec.min_nodes, min(self.wanted, len(self.nodes) + len(self.starting)))

    # ------------------------------------------------------------ what it costs

    def node_seconds(self, until: float) -> float:
        """Node-seconds paid for up to ``until``, cold starts and idle tails included."""
        spells = [
            *self.spells,
            *((started, until) for started in self._started.values()),
            *((ready_at - self.spec.cold_start_s, until) for ready_at in self.starting),
        ]
        return sum(max(0.0, min(end, until) - start) for start, end in spells)

    def usd(self, until: float) -> float:
        return self.node_seconds(until) * self.spec.usd_per_second

    def always_on_usd(self, until: float) -> float:
        """What its ``min_nodes`` cost, whatever is asked of them."""
        return self.spec.min_nodes * until * self.spec.usd_per_second


_HAIR = 1e-6
