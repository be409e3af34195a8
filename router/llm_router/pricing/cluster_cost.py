"""What a pool's tokens cost now: the price of its nodes over their measured throughput, in three bases.

A figure that is NaN, infinite, zero or negative is no measurement: it is passed over in favour of the configured one,
never divided by and never called free. A status that is too old is passed over as a whole.
"""

from __future__ import annotations

import math

from msgspec import Struct

from ..config.schema import Capacity, Cluster, Cost
from ..model import ClusterCost, ClusterStatus

SECONDS_PER_HOUR = 3600.0
STALE_AFTER_S = 90.0
"""Three polling intervals of the default 30 s."""


def usd_per_1k_tokens(
    *, node_usd_per_hour: float, nodes: int, tokens_per_second: float, overhead_factor: float
) -> float:
    """``node price × nodes × 1000 / (tokens/s × 3600) × overhead``, in USD per 1K tokens.

    ``tokens_per_second`` is the throughput of all ``nodes`` together. Raises ``ValueError`` when an input or the
    outcome is not a positive finite number: nonsense must not look cheap.
    """
    for name, value in (
        ("node_usd_per_hour", node_usd_per_hour),
        ("nodes", nodes),
        ("tokens_per_second", tokens_per_second),
        ("overhead_factor", overhead_factor),
    ):
        if _positive(value) is None:
            raise ValueError(f"{name} must be positive and finite, got {value!r}")
    usd = node_usd_per_hour * nodes * 1000 / (tokens_per_second * SECONDS_PER_HOUR) * overhead_factor
    if _positive(usd) is None:
        raise ValueError(f"{node_usd_per_hour!r} USD/h over {tokens_per_second!r} tokens/s is beyond all measure")
    return usd


def start_usd(
    *, node_usd_per_hour: float | None, cold_start_s: float, idle_timeout_s: float, overhead_factor: float
) -> float | None:
    """USD that one more node costs before and after its work: it is paid for from the wish to its end, so through its
    cold start, and through the idle tail after the last request. ``None`` where the price is unknown."""
    price = _positive(node_usd_per_hour)
    if price is None:
        return None
    usd = price * (cold_start_s + idle_timeout_s) / SECONDS_PER_HOUR * overhead_factor
    return usd if math.isfinite(usd) else None


def cluster_cost(
    cluster: Cluster,
    cost: Cost,
    status: ClusterStatus | None,
    now_unix: float,
    *,
    stale_after_s: float = STALE_AFTER_S,
) -> ClusterCost:
    """The three bases side by side, from the live status where it is sound, else from the configuration.

    ``measured`` is true when the capacity figure rests on measured throughput, ``price_source`` is ``config`` when
    the node price is ``costPerHour``. ``decision`` is the capacity figure, before hysteresis. A fixed
    ``costPer1kTokens`` is the capacity figure and the decision, whatever is reported, for prompt and generated
    tokens alike, and without the overhead factor: somebody has worked it out already.
    """
    stale = status is not None and not abs(now_unix - status.measured_at) <= stale_after_s
    live = None if stale else status
    price = _node_price(cluster, live, now_unix)
    speed = _speed(cluster.capacity, live)
    capacity = _figure(price.usd_per_hour, speed.nodes, speed.tokens_per_second, cost.overhead_factor)
    realised = marginal = None
    if live is not None:
        realised = _figure(price.usd_per_hour, live.nodes, live.tokens_per_second.realised, cost.overhead_factor)
        marginal = _marginal(live)
    scaling = cluster.scaling
    start = start_usd(
        node_usd_per_hour=price.usd_per_hour,
        cold_start_s=scaling.cold_start,
        idle_timeout_s=scaling.idle_timeout,
        overhead_factor=cost.overhead_factor,
    )
    fixed = _positive(cluster.cost_per_1k_tokens)
    if fixed is not None:
        return ClusterCost(
            capacity=fixed,
            realised=realised,
            marginal=marginal,
            decision=fixed,
            by_token=True,
            start_usd=start,
            node_usd_per_hour=price.usd_per_hour,
            price_source="config",
            stale=stale,
        )
    return ClusterCost(
        capacity=capacity,
        realised=realised,
        marginal=marginal,
        decision=capacity,
        input_ratio=_input_ratio(cluster.capacity, live, speed),
        start_usd=start,
        measured=speed.measured,
        node_usd_per_hour=price.usd_per_hour,
        price_source=price.source,
        price_age_s=price.age_s,
        stale=stale,
    )


class _NodePrice(Struct, frozen=True):
    usd_per_hour: float | None
    source: str
    age_s: float | None


class _Speed(Struct, frozen=True):
    """Generated tokens per second of ``nodes`` nodes when busy."""

    tokens_per_second: float | None
    nodes: int
    measured: bool


def _node_price(cluster: Cluster, live: ClusterStatus | None, now_unix: float) -> _NodePrice:
    if live is not None and (usd := _positive(live.node_usd_per_hour)) is not None:
        age_s = live.price_age_s
        if age_s is not None:
            age_s += max(0.0, now_unix - live.measured_at)
        return _NodePrice(usd, live.price_source or "unknown", age_s)
    usd = _positive(cluster.cost_per_hour)
    return _NodePrice(usd, "" if usd is None else "config", None)


def _speed(capacity: Capacity, live: ClusterStatus | None) -> _Speed:
    if live is not None and live.nodes > 0 and (speed := _positive(live.tokens_per_second.capacity)) is not None:
        return _Speed(speed, live.nodes, True)
    return _Speed(_configured_tokens_per_second(capacity), 1, False)


def _configured_tokens_per_second(capacity: Capacity) -> float | None:
    # Without a stated number of slots one is assumed: the slowest reading, so the dearest.
    per_slot = _positive(capacity.decode_tokens_per_second)
    if per_slot is not None:
        return per_slot * max(1, capacity.slots or 1)
    return _positive(capacity.decode_tokens_per_second_single)


def _input_ratio(capacity: Capacity, live: ClusterStatus | None, speed: _Speed) -> float:
    """Decode speed over prefill speed, both of one node; 1 where either is unknown, and never above."""
    prefill = _positive(capacity.prefill_tokens_per_second)
    if live is not None and live.nodes > 0 and (measured := _positive(live.tokens_per_second.prefill)) is not None:
        prefill = measured / live.nodes
    if prefill is None or speed.tokens_per_second is None:
        return 1.0
    return _positive(min(1.0, speed.tokens_per_second / speed.nodes / prefill)) or 1.0


def _marginal(live: ClusterStatus) -> float | None:
    """What the pool says itself; else nothing for a free slot on a node that runs anyway; else unknown, because the
    price of a scale-up depends on the request that causes it."""
    reported = live.usd_per_1k_tokens.marginal
    if reported is not None and math.isfinite(reported) and reported >= 0:
        return reported
    return 0.0 if live.state == "up" and live.slots_busy < live.slots_total else None


def _figure(usd_per_hour: float | None, nodes: int, speed: float | None, overhead_factor: float) -> float | None:
    if usd_per_hour is None or speed is None:
        return None
    try:
        return usd_per_1k_tokens(
            node_usd_per_hour=usd_per_hour, nodes=nodes, tokens_per_second=speed, overhead_factor=overhead_factor
        )
    except ValueError:
        return None


def _positive(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) and value > 0 else None
