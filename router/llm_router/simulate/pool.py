"""A pool: its nodes from the request to start them to their end, and the gate where requests wait for a slot."""

from __future__ import annotations

from collections import deque

from ..model import State
from .fleet import PoolSpec
from .job import Job
from .node import READING_SHARE, Node


class Pool:
    """``wanted`` nodes may take requests. Those above it are released: they finish what they have, and go when they
    have idled for the pool's timeout. ``min_nodes`` always stay."""

    def __init__(self, spec: PoolSpec) -> None:
        self.spec = spec
        self.wanted = spec.min_nodes
        self.nodes = [Node(spec.speed, 0.0, 0.0) for _ in range(spec.min_nodes)]
        """Those that are ready, the longest-running ones first."""
        self.starting: list[float] = []
        """When each node that starts will be ready, ascending."""
        self.waiting: deque[Job] = deque()
        self._paid: list[tuple[float, float]] = []
        """From when to when each node that is gone was paid for."""

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
        """Those that take new requests."""
        return self.nodes[: self.wanted]

    @property
    def in_flight(self) -> int:
        return len(self.waiting) + sum(node.busy for node in self.nodes)

    @property
    def unread_tokens(self) -> int:
        """All prompts whose first token has not come."""
        waiting = sum(job.request.input_tokens for job in self.waiting)
        return waiting + sum(node.unread_tokens for node in self.nodes)

    @property
    def decoding(self) -> int:
        return sum(node.decoding for node in self.nodes)

    def first_token_s(self, input_tokens: int) -> float:
        """Predicted time to the first token of a request that comes now, at the node that would take it."""
        node = self.emptiest()
        ahead = sum(job.request.input_tokens for job in self.waiting) + (node.tokens_ahead if node else 0.0)
        speed = self.spec.speed.prefill_tokens_per_second
        return (ahead + input_tokens) / (speed * READING_SHARE if node is not None and node.decoding else speed)

    def has_room(self) -> bool:
        return not self.waiting and any(node.has_room for node in self.open_nodes)

    def emptiest(self) -> Node | None:
        """The node with a free slot that has the least to read; of equals, the one that has run longest. Released ones
        only where no other is left: whoever waits already was promised an answer."""
        free = [node for node in self.open_nodes if node.has_room]
        if not free and not self.open_nodes:
            free = [node for node in self.nodes if node.has_room]
        return min(free, key=lambda node: node.tokens_ahead, default=None)

    # ------------------------------------------------------------ what happens to it

    def want(self, nodes: int, now: float) -> list[float]:
        """From now on ``nodes`` nodes are wanted. Returns when each node that starts now will be ready."""
        self.wanted = min(self.spec.max_nodes, max(self.spec.min_nodes, nodes))
        missing = max(0, self.wanted - len(self.nodes) - len(self.starting))
        ready_at = [now + self.spec.cold_start_s] * missing
        self.starting += ready_at
        return ready_at

    def add_ready_node(self, now: float) -> None:
        self.starting.pop(0)
        self.nodes.append(Node(self.spec.speed, now, now - self.spec.cold_start_s))

    def idle_nodes(self, now: float) -> list[Node]:
        """Those that have idled for the timeout."""
        since = now - self.spec.idle_timeout_s + _HAIR
        return [node for node in self.nodes if not node.busy and node.idle_since <= since]

    def remove_released(self, now: float) -> None:
        """Released nodes that have idled for the timeout go."""
        idle = self.idle_nodes(now)
        for node in self.nodes[self.wanted :]:
            if node in idle:
                self.nodes.remove(node)
                self._paid.append((node.paid_from, now))

    # ------------------------------------------------------------ what it costs

    def node_seconds(self, until: float) -> float:
        """Node-seconds paid for up to ``until``, cold starts and idle tails included."""
        spells = [
            *self._paid,
            *((node.paid_from, until) for node in self.nodes),
            *((ready_at - self.spec.cold_start_s, until) for ready_at in self.starting),
        ]
        return sum(max(0.0, min(end, until) - start) for start, end in spells)

    def usd(self, until: float) -> float:
        return self.node_seconds(until) * self.spec.usd_per_second

    def always_on_usd(self, until: float) -> float:
        """What its ``min_nodes`` cost, whatever is asked of them."""
        return self.spec.min_nodes * until * self.spec.usd_per_second


_HAIR = 1e-6
"""Seconds: as of nodes."""
