"""The rule's parameters, and the terms on which a pool rents its nodes."""

from __future__ import annotations

import math

from msgspec import Struct

from ...config.schema import Cluster

SECONDS_PER_HOUR = 3600.0


class RentRule(Struct, frozen=True, kw_only=True):
    """When waking and keeping a node pays. The same for all pools; none is fitted to any traffic.

    - ``margin``: share of the latency limit within which the first token must be predicted.
    - ``theta``: a node is woken when what it would have saved exceeds this share of what waking it costs at least,
    - ``few``: and on top of that what this many usual requests are worth, so that a handful of dear ones is no trend.
    - ``drift``: rent that counts against waking, as a multiple of the real one; more than 1 demands a surplus.
    - ``keep``: a node is released when it has lost this multiple of what waking it costs.
    - ``useful``: share of a node's speed that traffic, which does not come evenly, can use.
    - ``bucket_s``: how much work may pile up on the node that was not there, before it could not have done more.
    - ``forget_s``: time constant of the rate by which one of several pools is preferred.
    """

    margin: float = 0.95
    theta: float = 0.5
    few: float = 3.0
    drift: float = 1.2
    keep: float = 3.0
    useful: float = 0.75
    bucket_s: float = 30.0
    forget_s: float = 300.0


class PoolTerms(Struct, frozen=True, kw_only=True):
    """Whatever decides about a pool's nodes. Speeds are of one node: ``prefill`` and ``decode_single`` for one request
    alone, ``decode`` for each while all ``slots`` are busy; ``None`` is unknown and limits nothing. A node costs
    ``node_usd_per_hour`` from the moment that it is wanted; ``None`` is unknown, and is never worth waking for."""

    node_usd_per_hour: float | None
    min_nodes: int = 0
    max_nodes: int = 1
    cold_start_s: float = 90.0
    idle_timeout_s: float = 600.0
    slots: int = 1
    prefill_tokens_per_second: float | None = None
    decode_tokens_per_second: float | None = None
    decode_tokens_per_second_single: float | None = None

    @property
    def usd_per_s(self) -> float:
        """Rent of one node, 0 while it is unknown."""
        usd = self.node_usd_per_hour
        return usd / SECONDS_PER_HOUR if usd is not None and math.isfinite(usd) and usd > 0 else 0.0

    @property
    def stake_usd(self) -> float:
        """What waking a node costs that turns out not to be needed: its cold start and its idle tail."""
        return self.usd_per_s * (self.cold_start_s + self.idle_timeout_s)

    def reading_s(self, input_tokens: int) -> float:
        """Seconds in which a node that does nothing else reads a prompt; 0 where its speed is unknown."""
        return input_tokens / self.prefill_tokens_per_second if self.prefill_tokens_per_second else 0.0

    def work_s(self, input_tokens: int, output_tokens: int, useful: float) -> float:
        """Seconds of one node that a request takes when its slots are well filled: the larger of its share of the
        node's steps (reading included) and its share of the slots."""
        reading_s = self.reading_s(input_tokens)
        step_s, step_s_more = self._step()
        steps_s = reading_s + output_tokens * (step_s / self.slots + step_s_more)
        slot_s = (reading_s + output_tokens * (step_s + step_s_more * self.slots)) / self.slots
        return max(steps_s, slot_s) / useful

    def _step(self) -> tuple[float, float]:
        """``(a, b)``: a decode step with n sequences takes ``a + b·n`` seconds."""
        full, single = self.decode_tokens_per_second, self.decode_tokens_per_second_single
        if not full:
            return (1 / single if single else 0.0), 0.0
        if not single or self.slots == 1 or single <= full:
            return 1 / full, 0.0
        more = (1 / full - 1 / single) / (self.slots - 1)
        return 1 / single - more, more


def terms_of(cluster: Cluster) -> PoolTerms:
    """The terms that the configuration states, until live ones are known."""
    capacity, scaling = cluster.capacity, cluster.scaling
    return PoolTerms(
        node_usd_per_hour=cluster.cost_per_hour,
        min_nodes=scaling.min_nodes,
        max_nodes=scaling.max_nodes,
        cold_start_s=float(scaling.cold_start),
        idle_timeout_s=float(scaling.idle_timeout),
        slots=capacity.slots or 1,
        prefill_tokens_per_second=capacity.prefill_tokens_per_second,
        decode_tokens_per_second=capacity.decode_tokens_per_second,
        decode_tokens_per_second_single=capacity.decode_tokens_per_second_single,
    )
