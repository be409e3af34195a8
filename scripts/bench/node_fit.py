"""From measured times to the figures of the simulator's node, and from these to what it predicts for a load."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from llm_router.model import Target
from llm_router.simulate.fleet import Fleet, NodeSpeed, PoolSpec
from llm_router.simulate.job import Job
from llm_router.simulate.policies import Passive
from llm_router.simulate.trace import Request, Trace, trace_of
from llm_router.simulate.world import World
from scripts.bench.llama import Timed


@dataclass(frozen=True)
class Lengths:
    """Log-normal lengths with this median and this standard deviation of the logarithm, held between two bounds."""

    median: float
    sigma: float
    least: int
    most: int

    def draw(self, rng: random.Random) -> int:
        return min(self.most, max(self.least, round(self.median * rng.lognormvariate(0.0, self.sigma))))


PROMPTS = Lengths(64, 0.5, 16, 160)
ANSWERS = Lengths(24, 0.5, 4, 64)


def common_step_s(tokens_at: Sequence[Sequence[float]]) -> float:
    """Seconds of a step while all of these sequences decode, from the times of their tokens: prompts that are read
    meanwhile do not count. They need two tokens in common."""
    begin, end = max(times[0] for times in tokens_at), min(times[-1] for times in tokens_at)
    within = [[at for at in times if begin <= at <= end] for times in tokens_at]
    return statistics.fmean((times[-1] - times[0]) / (len(times) - 1) for times in within)


def step_of(steps: Iterable[tuple[int, float]]) -> tuple[float, float]:
    """``a`` and ``b`` of a + b·n, by least squares, from pairs of n and seconds; neither is negative."""
    pairs = list(steps)
    b, a = statistics.linear_regression([n for n, _ in pairs], [seconds for _, seconds in pairs])
    if b < 0:
        return statistics.fmean(seconds for _, seconds in pairs), 0.0
    if a < 0:
        return 0.0, sum(n * seconds for n, seconds in pairs) / sum(n * n for n, _ in pairs)
    return a, b


def speed_of(slots: int, reads: Sequence[tuple[int, float]], steps: Sequence[tuple[int, float]]) -> NodeSpeed:
    """``reads`` are tokens of a prompt and seconds to its first token on an idle server, ``steps`` sequences and
    seconds of a decode step."""
    a, b = step_of(steps)
    tokens_per_second = sum(tokens for tokens, _ in reads) / sum(seconds for _, seconds in reads)
    return NodeSpeed(slots=slots, prefill_tokens_per_second=tokens_per_second, step_s=a, step_s_per_sequence=b)


def extra_s_of(speed: NodeSpeed, lengths: Sequence[tuple[int, int]], seconds: float) -> float:
    """What each of these requests took of a server whose slots were always busy, beyond the model's prompt and steps;
    never negative."""
    work_s = sum(speed.work_s(*each) for each in lengths)
    return max(0.0, seconds - work_s) / len(lengths)


def poisson(utilisation: float, speed: NodeSpeed, seconds: float, rng: random.Random) -> Trace:
    """Requests at random for so long, at the rate that keeps a node of this speed busy for that share of the time if
    its batches were always full."""
    drawn = [(PROMPTS.draw(rng), ANSWERS.draw(rng)) for _ in range(1000)]
    rate = utilisation / statistics.fmean(speed.work_s(*lengths) for lengths in drawn)
    requests: list[Request] = []
    at_s = 0.0
    while at_s < seconds:
        requests.append(Request(at_s, *drawn[len(requests) % len(drawn)]))
        at_s += rng.expovariate(rate)
    return trace_of(requests)


def predicted(speed: NodeSpeed, trace: Trace, extra_s: float = 0.0) -> list[Timed]:
    """What the simulator says of one such node that takes all of these requests, in their order. ``extra_s`` of the
    whole node is added to the reading of each prompt."""
    more = round(extra_s * speed.prefill_tokens_per_second)
    trace = Trace(tuple(replace(each, input_tokens=each.input_tokens + more) for each in trace.requests))
    pool = PoolSpec(
        name="node", speed=speed, usd_per_second=0.0, min_nodes=1, max_nodes=1, cold_start_s=0.0, idle_timeout_s=1e9
    )
    target = Target(name="node", kind="cluster", owner="node", model="m")
    fleet = Fleet(targets=(target,), pools={"node": pool}, externals={})
    return [_timed(job) for job in World(fleet, trace, _Everything(target), len(trace.requests)).run()]


class _Everything(Passive):
    def __init__(self, target: Target) -> None:
        self._target = target

    def place(self, job: Job, world: World) -> Iterable[Target]:
        return (self._target,)


def _timed(job: Job) -> Timed:
    if job.first_token_s is None or job.done_s is None:
        raise ValueError(f"request {job.number} was not answered")
    return Timed(job.first_token_s - job.request.at_s, job.done_s - job.request.at_s)


@dataclass(frozen=True)
class Percentiles:
    """Seconds."""

    ttft_p50: float
    ttft_p95: float
    total_p50: float
    total_p95: float


def percentiles(timed: Sequence[Timed]) -> Percentiles:
    """Needs two or more."""
    first = statistics.quantiles((each.ttft_s for each in timed), n=20, method="inclusive")
    total = statistics.quantiles((each.total_s for each in timed), n=20, method="inclusive")
    return Percentiles(first[9], first[18], total[9], total[18])
