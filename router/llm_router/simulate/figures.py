"""What a run came to, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from .job import Job
from .world import World


class Quantiles(Struct, frozen=True):
    """Nearest rank, in seconds; ``None`` where nothing was answered."""

    p50: float | None
    p95: float | None
    p99: float | None


class Figures(Struct, frozen=True, kw_only=True):
    """``usd_avoidable`` leaves out what nodes cost that run anyway. ``miss_rate`` is the share of requests whose first
    token came after the limit, or never; ``refused`` how many nobody took. ``share`` is by target."""

    usd: float
    usd_nodes: float
    usd_external: float
    usd_avoidable: float
    miss_rate: float
    refused: int
    ttft_s: Quantiles
    total_s: Quantiles
    share: dict[str, float]
    node_hours: dict[str, float]


def figures_of(world: World, jobs: Sequence[Job], limit_s: float) -> Figures:
    until = world.ends_at
    usd_nodes = sum(pool.usd(until) for pool in world.pools.values())
    usd_external = sum(job.usd for job in jobs)
    always_on = sum(pool.always_on_usd(until) for pool in world.pools.values())
    answered = [job for job in jobs if job.target]
    first = sorted(job.first_token_s - job.request.at_s for job in answered if job.first_token_s is not None)
    total = sorted(job.done_s - job.request.at_s for job in answered if job.done_s is not None)
    in_time = sum(seconds <= limit_s for seconds in first)
    return Figures(
        usd=usd_nodes + usd_external,
        usd_nodes=usd_nodes,
        usd_external=usd_external,
        usd_avoidable=usd_nodes + usd_external - always_on,
        miss_rate=1 - in_time / len(jobs),
        refused=len(jobs) - len(answered),
        ttft_s=_quantiles(first),
        total_s=_quantiles(total),
        share={name: count / len(jobs) for name, count in sorted(Counter(job.target for job in answered).items())},
        node_hours={name: pool.node_seconds(until) / 3600 for name, pool in world.pools.items()},
    )


def _quantiles(ordered: Sequence[float]) -> Quantiles:
    if not ordered:
        return Quantiles(None, None, None)
    return Quantiles(*(ordered[max(0, -(-len(ordered) * percent // 100) - 1)] for percent in (50, 95, 99)))
