"""The simulator's queue model against a real llama.cpp server: predicted and measured times under Poisson load.

    python -m scripts.bench.queue [--runs 3] [--requests 120] [--load 0.6]

One server of the large tiny model. It is measured alone: how fast it reads a prompt, and how long a decode step takes
with 1 to ``--slots`` sequences (the line a + b·n). Then requests come at random, as many as take ``--load`` of its time
by that measure, to the server and to the model, each run with other requests; and it is measured again, since other
work on the machine comes and goes. Times are the client's, from sending to the first token and to the last.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import httpx

from llm_router.demo.models import tiny_models
from llm_router.model import Target
from llm_router.simulate.fleet import Fleet, NodeSpeed, PoolSpec
from llm_router.simulate.options import Options
from llm_router.simulate.policies import AllCluster
from llm_router.simulate.trace import Request, Trace, trace_of
from llm_router.simulate.world import World
from scripts.bench.machine import free_port

SLOT_TOKENS = 1024
WORDS = (5, 250)
"""Token ids that prompts are made of."""
PROMPT = (100, 400)
ANSWER = (10, 80)
"""Least and most tokens of a request, evenly distributed."""
GOAL = 0.20


@dataclass(frozen=True)
class Times:
    """Seconds from sending to the first token and to the last."""

    first: float
    total: float
    gaps: tuple[float, ...] = ()


class Server:
    """Asks a llama.cpp server with prompts of token ids, so that their length is exact."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, timeout=120, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )
        self._draw = random.Random(1)

    async def ask(self, input_tokens: int, output_tokens: int) -> Times:
        body = {
            "prompt": [self._draw.randrange(*WORDS) for _ in range(input_tokens)],
            "n_predict": output_tokens,
            "ignore_eos": True,
            "cache_prompt": False,
            "stream": True,
        }
        sent = time.perf_counter()
        async with self._client.stream("POST", "/completion", json=body) as answer:
            answer.raise_for_status()
            came = [time.perf_counter() async for line in answer.aiter_lines() if line.startswith("data: ")]
        tokens = came[:-1] or came  # the last event only sums up
        gaps = tuple(later - earlier for earlier, later in pairwise(tokens))
        return Times(tokens[0] - sent, tokens[-1] - sent, gaps)

    async def replay(self, trace: Trace) -> list[Times]:
        began = time.perf_counter()

        async def one(request: Request) -> Times:
            await asyncio.sleep(began + request.at_s - time.perf_counter())
            return await self.ask(request.input_tokens, request.output_tokens)

        return await asyncio.gather(*map(one, trace.requests))


# ---------------------------------------------------------------- measuring a node


async def measured(server: Server, slots: int) -> NodeSpeed:
    """The line of decode steps by least squares over 1 to ``slots`` sequences, and the slope of reading, both at the
    load's mean prompt."""
    prompt = sum(PROMPT) // 2
    await server.ask(prompt, 8)
    steps = {}
    for sequences in range(1, slots + 1):
        answers = [a for _ in range(3) for a in await _together(server, prompt, sequences)]
        # While the others are still read nobody decodes at his later pace: the second half of each answer counts.
        steps[sequences] = statistics.median(gap for a in answers for gap in a.gaps[len(a.gaps) // 2 :])
    per_sequence = _slope(list(steps.items()))
    reading = [
        (tokens, (await server.ask(tokens, 1)).first) for _ in range(8) for tokens in (PROMPT[0], prompt, PROMPT[1])
    ]
    medians = [(n, statistics.median(s for m, s in reading if m == n)) for n in (PROMPT[0], prompt, PROMPT[1])]
    return NodeSpeed(
        slots=slots,
        prefill_tokens_per_second=1 / _slope(medians),
        step_s=statistics.fmean(steps.values()) - per_sequence * statistics.fmean(steps),
        step_s_per_sequence=per_sequence,
    )


async def _together(server: Server, prompt: int, sequences: int) -> list[Times]:
    return await asyncio.gather(*(server.ask(prompt, 60) for _ in range(sequences)))


def _slope(points: Sequence[tuple[float, float]]) -> float:
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope


def between(one: NodeSpeed, other: NodeSpeed) -> NodeSpeed:
    """Neighbours on the same cores come and go: the mean of two measurements, before a load and after it."""
    return NodeSpeed(
        slots=one.slots,
        prefill_tokens_per_second=2 / (1 / one.prefill_tokens_per_second + 1 / other.prefill_tokens_per_second),
        step_s=(one.step_s + other.step_s) / 2,
        step_s_per_sequence=(one.step_s_per_sequence + other.step_s_per_sequence) / 2,
    )


# ---------------------------------------------------------------- load, and what the model says of it


def poisson(speed: NodeSpeed, load: float, count: int, seed: int) -> Trace:
    draw = random.Random(seed)
    asked = [(draw.randint(*PROMPT), draw.randint(*ANSWER)) for _ in range(count)]
    busy_s = statistics.fmean(speed.work_s(*tokens) for tokens in asked)
    at_s, requests = 0.0, []
    for tokens in asked:
        at_s += draw.expovariate(load / busy_s)
        requests.append(Request(at_s, *tokens))
    return trace_of(requests)


def predicted(speed: NodeSpeed, trace: Trace) -> list[Times]:
    target = Target(name="node", kind="cluster", owner="node", model="tiny")
    pool = PoolSpec(
        name="node", speed=speed, usd_per_second=0.0, min_nodes=1, max_nodes=1, cold_start_s=0.0, idle_timeout_s=0.0
    )
    options = [Options(outside=None, outside_usd=0.0, inside=(target,))] * len(trace.requests)
    fleet = Fleet(targets=(target,), pools={"node": pool}, externals={})
    jobs = World(fleet, trace, AllCluster(options, float("inf")), len(trace.requests)).run()
    return [
        Times((job.first_token_s or 0.0) - job.request.at_s, (job.done_s or 0.0) - job.request.at_s) for job in jobs
    ]


# ---------------------------------------------------------------- the command


async def bench(url: str, options: argparse.Namespace) -> bool:
    server, near = Server(url), []
    print(f"{'run':>3} {'':14} {'predicted':>10} {'measured':>10}   difference")
    for run in range(1, options.runs + 1):
        before = await measured(server, options.slots)
        trace = poisson(before, options.load, options.requests, run)
        real = await server.replay(trace)
        speed = between(before, await measured(server, options.slots))
        model = predicted(speed, trace)
        print(
            f"{run:3} reads {speed.prefill_tokens_per_second:.0f} tokens/s, a step of n sequences takes "
            f"{speed.step_s * 1000:.2f} + {speed.step_s_per_sequence * 1000:.2f}·n ms"
        )
        for name, percent in (("first", 50), ("first", 95), ("total", 50), ("total", 95)):
            said, was = _percentile(model, name, percent), _percentile(real, name, percent)
            near.append(abs(said / was - 1) <= GOAL)
            print(f"{run:3} {name:>9} p{percent:<4}{said * 1000:>8.0f} ms{was * 1000:>8.0f} ms   {said / was - 1:+.0%}")
    print(f"{sum(near)} of {len(near)} within {GOAL:.0%}")
    return all(near)


def _percentile(times: Sequence[Times], name: str, percent: int) -> float:
    seconds = [each.first if name == "first" else each.total for each in times]
    return statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1]


@contextmanager
def running_server(slots: int, folder: Path) -> Iterator[str]:
    port = free_port()
    model = tiny_models(lambda line: print(line, file=sys.stderr)).large
    options = [
        "--model",
        model,
        "--port",
        port,
        "--alias",
        "tiny",
        "--parallel",
        slots,
        "--ctx-size",
        slots * SLOT_TOKENS,
    ]
    command = [sys.executable, "-m", "llm_router.demo.engine", *map(str, options), "--end-with-parent"]
    with (folder / "engine.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, process)
            yield url
        finally:
            process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit("the engine ended at once; see python -m llm_router.demo.engine")
        try:
            if httpx.get(f"{url}/health", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise SystemExit("the engine was not ready after half a minute")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--requests", type=int, default=120, help="of each run")
    parser.add_argument("--load", type=float, default=0.6, help="share of the server's time")
    parser.add_argument("--slots", type=int, default=4)
    options = parser.parse_args(arguments)
    print(f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder, running_server(options.slots, Path(folder)) as url:
        asyncio.run(bench(url, options))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
