"""Scenarios for the strategy hybrid: traffic, fleets, prices and providers, drawn at random and repeatable.

Two sets share no draw: rules may be changed until they do well on ``train``; ``holdout`` says whether that means
anything. Some kinds of traffic are in the holdout only.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llm_router.config.load import parse
from llm_router.config.schema import Config
from llm_router.simulate.trace import Request, Trace, marked, stretched, thinned, trace_of
from llm_router.simulate.trace_file import read_trace

AZURE = Path(__file__).resolve().parents[2] / "examples/traces/azure-llm-2023-code.csv.gz"
Set = Literal["train", "holdout"]

EXTERNALS: Mapping[str, tuple[float, float]] = {
    "nano": (0.05, 0.40),
    "haiku": (0.10, 0.50),
    "flash-lite": (0.30, 2.50),
    "mini": (0.75, 4.50),
}
"""USD per million tokens in and out: gpt-5-nano, claude-haiku-5-5, gemini-3.5-flash-lite, gpt-5.4-mini."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    name: str
    config: Config
    trace: Trace
    max_cold_start_usd: float
    """The rent of one cold start, of the pool where it is dearest."""


# ---------------------------------------------------------------- traffic

Lengths = Callable[[random.Random], tuple[int, int]]


def conversation(draw: random.Random) -> tuple[int, int]:
    """Prompts of about 1,000 tokens and answers of about 200, both with long tails."""
    return _lognormal(draw, 1000, 0.9, 7500), _lognormal(draw, 200, 0.8, 1500)


def short_questions(draw: random.Random) -> tuple[int, int]:
    return _lognormal(draw, 150, 0.6, 2000), _lognormal(draw, 120, 0.7, 800)


def coding(draw: random.Random) -> tuple[int, int]:
    """Roughly the Azure trace's."""
    return _lognormal(draw, 1500, 1.0, 7400), _lognormal(draw, 13, 1.1, 1900)


def _lognormal(draw: random.Random, median: float, sigma: float, most: int) -> int:
    return max(1, min(most, round(median * math.exp(draw.gauss(0, sigma)))))


def arriving(per_hour: Callable[[float], float], peak: float, hours: float, load: Load) -> Trace:
    """A Poisson process whose rate at each hour is ``per_hour``, at most ``peak``."""
    draw, at_h, requests = random.Random(load.seed), 0.0, []
    while (at_h := at_h + draw.expovariate(peak)) < hours:
        if draw.random() * peak < per_hour(at_h):
            requests.append(Request(at_h * 3600, *load.lengths(draw)))
    return trace_of(requests or [Request(0.0, *load.lengths(draw))])


@dataclass(frozen=True)
class Load:
    """How much comes: ``per_hour`` requests on average, of these lengths."""

    per_hour: float
    lengths: Lengths
    seed: str


def poisson(load: Load, draw: random.Random) -> Trace:
    hours = min(12.0, MOST_REQUESTS / load.per_hour)
    return arriving(lambda _: load.per_hour, load.per_hour, hours, load)


def diurnal(load: Load, draw: random.Random) -> Trace:
    """One day with its peak in the afternoon; at night a twentieth of that."""
    peak = min(load.per_hour, MOST_REQUESTS / 24) / 0.525
    return arriving(lambda h: peak * (0.525 - 0.475 * math.cos(2 * math.pi * (h - 3) / 24)), peak, 24.0, load)


def bursty(load: Load, draw: random.Random) -> Trace:
    """Quiet and busy spells of random length, the busy ones many times as busy."""
    hours, spell_h = min(8.0, MOST_REQUESTS / load.per_hour), draw.uniform(0.1, 0.7)
    quiet, busy = load.per_hour * 0.1, load.per_hour * 1.9
    switches, at_h = [], 0.0
    while at_h < hours:
        at_h += draw.expovariate(1 / spell_h)
        switches.append(at_h)
    return arriving(lambda h: busy if sum(at < h for at in switches) % 2 else quiet, busy, hours, load)


def sparse(load: Load, draw: random.Random) -> Trace:
    rate = draw.uniform(5, 40)
    return arriving(lambda _: rate, rate, 12.0, load)


def code(load: Load, draw: random.Random) -> Trace:
    """The Azure trace, thinned, and where there is room, stretched."""
    stretch = draw.choice((1, 1, 2, 5))
    every = max(1, round(AZURE_PER_HOUR / stretch / load.per_hour))
    return stretched(thinned(read_trace(AZURE), every, draw.randrange(10**6)), stretch)


def stepped(load: Load, draw: random.Random) -> Trace:
    """Nothing to speak of, then all at once, then nothing."""
    begins, length = draw.uniform(0.5, 2), draw.uniform(0.3, 2)
    low, high = load.per_hour / 20, load.per_hour * 2
    return arriving(lambda h: high if begins <= h < begins + length else low, high, 4.5, load)


def working_days(load: Load, draw: random.Random) -> Trace:
    """Two days of office hours."""
    rate = min(load.per_hour, MOST_REQUESTS / 20)
    return arriving(lambda h: rate if 8 <= h % 24 < 18 else rate / 50, rate, 48.0, load)


MOST_REQUESTS = 4000
"""Of a scenario, about."""
AZURE_PER_HOUR = 9240


TRAFFIC: Mapping[Set, tuple[Callable[[Load, random.Random], Trace], ...]] = {
    "train": (code, poisson, diurnal, bursty, code, bursty, sparse),
    "holdout": (code, poisson, diurnal, bursty, code, stepped, sparse, working_days),
}


# ---------------------------------------------------------------- fleets


def scenarios(which: Set, count: int) -> list[Scenario]:
    return [_scenario(which, number) for number in range(count)]


def _scenario(which: Set, number: int) -> Scenario:
    draw = random.Random(f"{which} {number}")
    kinds = TRAFFIC[which]
    traffic = kinds[number % len(kinds)]
    lengths = coding if traffic is code else draw.choice((conversation, short_questions))
    external = draw.choice(tuple(EXTERNALS))
    cold_start_s = draw.choice((60, 180, 300, 600))
    clusters = draw.choice(_FLEETS)(draw.choice((0.5, 1.0, 1.0, 1.8)), cold_start_s)
    idle_timeout, limit_ms = draw.choice(("5m", "10m", "10m", "15m")), draw.choice((3000, 5000, 5000, 10_000))
    for cluster in clusters:
        cluster["scaling"]["idleTimeout"] = idle_timeout
    pays = math.exp(draw.uniform(math.log(0.3), math.log(6)))
    load = Load(pays * _break_even_per_hour(clusters, external, lengths), lengths, f"{which} {number}")
    trace = traffic(load, draw)
    capable = draw.choice((0.0, 0.0, 0.3))
    config = _config(clusters, external, limit_ms)
    fleet = "+".join(f"{c['name']}×{c['scaling']['maxNodes']}" for c in clusters)
    return Scenario(
        name=f"{which}-{number:03} {traffic.__name__} {lengths.__name__}, {len(trace.requests)} in "
        f"{trace.span_s / 3600:.1f} h, {pays:.1f} × break-even, {fleet} {clusters[-1]['costPerHour']:.3f} USD/h, "
        f"cold {cold_start_s} s, idle {idle_timeout}, limit {limit_ms} ms, {external}, capable {capable:g}",
        config=config,
        trace=marked(trace, capable, number),
        max_cold_start_usd=max(
            c.cost_per_hour * c.scaling.cold_start / 3600 for c in config.clusters if c.cost_per_hour is not None
        ),
    )


def _break_even_per_hour(clusters: list[dict[str, Any]], external: str, lengths: Lengths) -> float:
    """Requests an hour whose price outside is the rent of the last pool's node."""
    draw = random.Random("break-even")
    paid, answered = EXTERNALS[external]
    asked = [lengths(draw) for _ in range(500)]
    usd = sum(p * paid + g * answered for p, g in asked) / len(asked) / 1e6
    per_hour: float = clusters[-1]["costPerHour"]
    return per_hour / usd


def _cpu(level: float, cold_start_s: int, *, least: int) -> dict[str, Any]:
    return {
        "name": "cpu",
        "costPerHour": 0.0928 * level,
        "capabilities": ["simple-tasks"],
        "capacity": {
            "slots": 4,
            "prefillTokensPerSecond": 100,
            "decodeTokensPerSecond": 8,
            "decodeTokensPerSecondSingle": 12,
        },
        "scaling": {"minNodes": least, "maxNodes": 1, "coldStart": f"{min(90, cold_start_s)}s"},
    }


def _t4(level: float, cold_start_s: int, *, name: str = "t4", usd: float = 0.21, most: int = 1) -> dict[str, Any]:
    return {
        "name": name,
        "costPerHour": usd * level,
        "capacity": {
            "slots": 8,
            "prefillTokensPerSecond": 1200,
            "decodeTokensPerSecond": 22,
            "decodeTokensPerSecondSingle": 30,
        },
        "scaling": {"minNodes": 0, "maxNodes": most, "coldStart": f"{cold_start_s}s"},
    }


_FLEETS: tuple[Callable[[float, int], list[dict[str, Any]]], ...] = (
    lambda level, cold: [_cpu(level, cold, least=1), _t4(level, cold)],
    lambda level, cold: [_cpu(level, cold, least=0), _t4(level, cold), _t4(level, cold, name="t4-b", usd=0.378)],
    lambda level, cold: [_t4(level, cold)],
    lambda level, cold: [_t4(level, cold, most=3)],
)


def _config(clusters: list[dict[str, Any]], external: str, limit_ms: int) -> Config:
    paid, answered = EXTERNALS[external]
    document = {
        "router": {"maxLatencyMs": limit_ms},
        "clusters": [
            {
                **cluster,
                "endpoint": "http://127.0.0.1:1",
                "authType": "none",
                "models": [{"name": f"model-{cluster['name']}", "contextLength": 8192}],
            }
            for cluster in clusters
        ],
        "externalProviders": [
            {
                "name": external,
                "type": "openai",
                "apiKey": "placeholder",
                "models": [external],
                "price": {"inputPer1k": paid / 1000, "outputPer1k": answered / 1000},
                "latency": {"timeToFirstToken": "500ms", "tokensPerSecond": 100},
            }
        ],
    }
    return parse(_yaml(document)).config


def _yaml(document: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(document, sort_keys=False)
