"""How well the simulator's queue model predicts a real llama.cpp server: latencies, predicted beside measured.

    python -m scripts.bench.queueing [--rounds 5] [--seconds 20] [--loads 0.3,0.6,0.85] [--clock wall] [--json OUT]

Measures the speed of the server (decode steps of 1 to all slots, prompts on an idle server), puts an open Poisson load
on it, measures the speed again, and lets the simulator predict the same arrivals with the speed of both measurements
together. Prints a line for each run, and a table of the medians over the rounds. Time is taken by the clock of a core
that the server has to itself, unless the wall's is asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import msgspec

from llm_router.demo.models import tiny_models
from llm_router.simulate.fleet import NodeSpeed
from llm_router.simulate.trace import Trace
from scripts.bench.clocks import CLOCKS
from scripts.bench.llama import Client, Timed, client_of, running_server
from scripts.bench.machine import process_cpu_ns
from scripts.bench.node_fit import (
    ANSWERS,
    PROMPTS,
    Percentiles,
    common_step_s,
    extra_s_of,
    percentiles,
    poisson,
    predicted,
    speed_of,
)

SLOTS, SLOT_TOKENS = 4, 256
STEP_TOKENS = 40
WITHIN = 0.2


@dataclass
class Readings:
    """What was measured about speed: prompt tokens and seconds, sequences and seconds of a step, and which share of a
    core the server got while it was busy all the time."""

    reads: list[tuple[int, float]] = field(default_factory=list)
    steps: list[tuple[int, float]] = field(default_factory=list)
    core_shares: list[float] = field(default_factory=list)
    full: list[tuple[int, int]] = field(default_factory=list)
    """Lengths of the requests that kept all slots busy, in ``full_s`` altogether."""
    full_s: float = 0.0

    def speed(self) -> NodeSpeed:
        return speed_of(SLOTS, self.reads, self.steps)

    def extra_s(self) -> float:
        return extra_s_of(self.speed(), self.full, self.full_s)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One load on the real server, and what was predicted for it."""

    round: int
    load: float
    rate: float
    requests: int
    speed: NodeSpeed
    core_share: float
    load_average: float
    extra_s: float
    predicted: Percentiles
    with_extra: Percentiles
    measured: Percentiles


async def measure_speed(client: Client, pid: int, rng: random.Random, readings: Readings, cycles: int) -> None:
    """Prompts and decode steps in turn, so that a machine that gets slower hits both."""
    for _ in range(cycles):
        for tokens in (PROMPTS.draw(rng) for _ in range(4)):
            readings.reads.append((tokens, (await client.ask(tokens, 1)).ttft_s))
        for sequences in range(1, SLOTS + 1):
            used, started = process_cpu_ns(pid), time.perf_counter_ns()
            tokens_at: list[list[float]] = [[] for _ in range(sequences)]
            await asyncio.gather(*(client.ask(PROMPTS.draw(rng), STEP_TOKENS, seen) for seen in tokens_at))
            readings.core_shares.append((process_cpu_ns(pid) - used) / (time.perf_counter_ns() - started))
            readings.steps.append((sequences, common_step_s(tokens_at)))
        lengths = [(PROMPTS.draw(rng), ANSWERS.draw(rng)) for _ in range(4 * SLOTS)]
        readings.full += lengths
        readings.full_s += await client.keep_busy(lengths, SLOTS)


async def one_run(client: Client, pid: int, options: argparse.Namespace, round_: int, load: float) -> Run:
    rng = random.Random(f"queueing {options.seed} {round_} {load}")
    readings = Readings()
    await measure_speed(client, pid, rng, readings, options.cycles)
    trace = poisson(load, readings.speed(), options.seconds, rng)
    measured = await client.replay(trace.requests)
    load_average = os.getloadavg()[0]
    await measure_speed(client, pid, rng, readings, options.cycles)
    return _run(readings, trace, measured, round_=round_, load=load, load_average=load_average)


def _run(
    readings: Readings, trace: Trace, measured: Sequence[Timed], *, round_: int, load: float, load_average: float
) -> Run:
    speed = readings.speed()
    return Run(
        round=round_,
        load=load,
        rate=(len(trace.requests) - 1) / trace.span_s,
        requests=len(trace.requests),
        speed=speed,
        core_share=statistics.fmean(readings.core_shares),
        load_average=load_average,
        extra_s=readings.extra_s(),
        predicted=percentiles(predicted(speed, trace)),
        with_extra=percentiles(predicted(speed, trace, readings.extra_s())),
        measured=percentiles(measured),
    )


async def all_runs(url: str, pid: int, options: argparse.Namespace, loads: Sequence[float]) -> list[Run]:
    runs = []
    async with client_of(url, CLOCKS[options.clock](pid)) as client:
        await measure_speed(client, pid, random.Random(0), Readings(), 1)  # the first answers of a server are slower
        for round_ in range(options.rounds):
            for load in loads:
                runs.append(await one_run(client, pid, options, round_, load))
                print(line_of(runs[-1]), flush=True)
    return runs


def line_of(run: Run) -> str:
    speed = run.speed
    figures = "  ".join(
        f"{each.name} {1e3 * getattr(run.predicted, each.name):.0f}, {1e3 * getattr(run.with_extra, each.name):.0f}"
        f" / {1e3 * getattr(run.measured, each.name):.0f}"
        for each in fields(Percentiles)
    )
    return (
        f"round {run.round} load {run.load:.2f} ({run.rate:.1f}/s, {run.requests}): "
        f"{speed.prefill_tokens_per_second:.0f} prompt tokens/s, step {1e3 * speed.step_s:.2f} + "
        f"{1e3 * speed.step_s_per_sequence:.2f}·n ms, {1e3 * run.extra_s:.1f} ms more a request, "
        f"core {run.core_share:.0%}, load average {run.load_average:.1f}; "
        f"ms predicted, with that / measured: {figures}"
    )


def table(runs: Sequence[Run]) -> str:
    """Medians over the rounds; a ratio is predicted ÷ measured of one run."""
    lines = [f"{'load':>5}{'rate/s':>8}  {'figure':<10}{'measured ms':>12}  predicted ÷ measured: median [range]"]
    for load in sorted({run.load for run in runs}):
        of_load = [run for run in runs if run.load == load]
        rate = statistics.median(run.rate for run in of_load)
        for name in (each.name for each in fields(Percentiles)):
            was = [getattr(run.measured, name) for run in of_load]
            plain = _ratio([getattr(run.predicted, name) for run in of_load], was)
            extra = _ratio([getattr(run.with_extra, name) for run in of_load], was)
            lines.append(
                f"{load:>5.2f}{rate:>8.1f}  {name:<10}{1e3 * statistics.median(was):>12.1f}  {plain};"
                f" with more a request: {extra}"
            )
    return "\n".join(lines)


def _ratio(said: Sequence[float], was: Sequence[float]) -> str:
    ratios = [one / other for one, other in zip(said, was, strict=True)]
    middle = statistics.median(ratios)
    verdict = "within 20 %" if abs(middle - 1) <= WITHIN else "off"
    return f"{middle:.2f} [{min(ratios):.2f}, {max(ratios):.2f}] {verdict}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each load")
    parser.add_argument("--loads", default="0.3,0.6,0.85", help="shares of what the server can do")
    parser.add_argument("--cycles", type=int, default=3, help="of measuring the speed, before and after each load")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clock", choices=list(CLOCKS), default="own", help="(default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args(arguments)
    models = tiny_models(lambda line: print(line, file=sys.stderr))
    with tempfile.TemporaryDirectory() as folder:
        with running_server(models.large, Path(folder) / "log", slots=SLOTS, slot_tokens=SLOT_TOKENS) as (url, pid):
            runs = asyncio.run(all_runs(url, pid, options, [float(load) for load in options.loads.split(",")]))
    print(f"\n{table(runs)}")
    if options.json is not None:
        options.json.write_text(json.dumps(msgspec.to_builtins([asdict(run) for run in runs]), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
