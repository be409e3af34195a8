#!/usr/bin/env python3
"""Measures what the router promises when things go wrong, against stand-ins on this machine, and writes the figures
into the table of docs/reference/reliability.md.

    python scripts/bench/reliability.py [--requests 2000] [--only P9 --only P23] [--print]

Figures that are not measured anew stay as they are. The soak (P23) takes five minutes, and only where it is asked for.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.bench.at_fault import (  # noqa: E402
    p1_streams,
    p3_failover,
    p4_amplification,
    p6_cancelling,
    p7_silence,
    p17_reloads,
)
from scripts.bench.by_clock import p5_breaker, p8_health, p11_window, p18_requirements  # noqa: E402
from scripts.bench.deployed import p27_pods, p28_infrastructure  # noqa: E402
from scripts.bench.framing import p21_framing  # noqa: E402
from scripts.bench.fuzzed import p25_fuzzed  # noqa: E402
from scripts.bench.killed_worker import p22_killed_worker  # noqa: E402
from scripts.bench.rotation import p16_rotation  # noqa: E402
from scripts.bench.secure import p19_crossing, p20_insecure  # noqa: E402
from scripts.bench.shared_limits import p12_shared_limits, p13_without_redis  # noqa: E402
from scripts.bench.signatures import p14_signatures, p15_replay  # noqa: E402
from scripts.bench.soak import p23_soak  # noqa: E402
from scripts.bench.under_load import p9_overload, p10_slow_callers  # noqa: E402
from scripts.bench.wall_clock import p24_clock  # noqa: E402
from tests.router.standins import Standins, running_standins  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "reliability.md"
BEGIN, END = "<!-- figures: scripts/bench/reliability.py -->", "<!-- end of figures -->"


class Measure(NamedTuple):
    what: str
    promised: str
    run: Callable[[Standins, int], str]
    """Given the stand-ins, and how many requests a large measurement sends."""
    asked_for: bool = False
    """It takes minutes: only where somebody asks for it."""


MEASURES: dict[str, Measure] = {
    "P1, P2": Measure(
        "cut streams are reported, and nothing is said twice", "500 of 500, 0", lambda s, n: p1_streams(s, n // 4)
    ),
    "P3": Measure("one of the targets is dead", "≥ 99.9 % answered, ≤ 50 ms more", p3_failover),
    "P4": Measure("everything answers 503: attempts for each request", "≤ 1.2 × + 3 at a time", p4_amplification),
    "P5": Measure("a breaker that is fed a clock", "opens at 5, closes at 3, ≤ 300 s", lambda s, n: p5_breaker(n // 4)),
    "P6": Measure("the caller leaves: the upstream is closed", "≤ 100 ms", lambda s, _: p6_cancelling(s, 50)),
    "P7": Measure(
        "a target is silent: the caller is answered", "≤ 1 s after the timer", lambda s, _: p7_silence(s, 10)
    ),
    "P8": Measure(
        "checks at the default interval; every second answer an error",
        "≤ 35 s, opens ≤ once a minute",
        lambda *_: p8_health(24),
    ),
    "P9": Measure(
        "five times the load that it takes", "goodput ≥ 90 %, refusals ≤ 100 ms, ≤ 64 MiB", lambda *_: p9_overload(10.0)
    ),
    "P10": Measure(
        "500 callers who send a byte a second", "≤ 2 × at p99, closed ≤ 40 s", lambda *_: p10_slow_callers(500, 8.0)
    ),
    "P11": Measure("limits of one process, fed a clock", "0 above, ≥ 98 % used", lambda s, n: p11_window(n // 4)),
    "P12": Measure("limits of eight processes on one Redis", "never above", lambda *_: p12_shared_limits(4.0)),
    "P13": Measure(
        "the Redis of the limits does not answer", "≤ 50 ms, a share or nothing", lambda *_: p13_without_redis(200)
    ),
    "P14": Measure(
        "single changed bytes in signed requests",
        "0 accepted, 0 honest ones refused, ≤ 50 µs",
        lambda _, n: p14_signatures(10 * n),
    ),
    "P15": Measure("50 uses of one nonce at once", "exactly 1", lambda *_: p15_replay(200)),
    "P16": Measure("keys and certificates of a gate change", "0 failed", lambda *_: p16_rotation(20.0)),
    "P17": Measure("reloads under load", "0 streams dropped", lambda *_: p17_reloads(100)),
    "P18": Measure("requirements in every combination", "0 broken", lambda *_: p18_requirements()),
    "P19": Measure("a credential where it does not belong", "0 times", lambda s, _: p19_crossing(s, 3)),
    "P20": Measure("insecure configurations, of router, gate and exporter", "0 start", lambda *_: p20_insecure()),
    "P21": Measure("odd requests on raw sockets", "none smuggled", lambda s, _: p21_framing(s)),
    "P22": Measure(
        "one of two workers is killed in mid-stream",
        "only its own streams, replaced ≤ 2 s",
        lambda *_: p22_killed_worker(5),
    ),
    "P23": Measure(
        "a soak of five minutes",
        "≤ 1 MiB a minute after warm-up, ± 5 file descriptors",
        lambda *_: p23_soak(300.0),
        asked_for=True,
    ),
    "P24": Measure(
        "the wall clock jumps by an hour, either way",
        "nothing changes but signatures, which are refused",
        lambda s, _: p24_clock(s, 5),
    ),
    "P25": Measure(
        "spoilt requests, streams, signatures and configurations",
        "0 answers 5xx, 0 tracebacks of 50 000",
        lambda *_: p25_fuzzed(50_000),
    ),
    "P27": Measure("pods of the charts are restricted", "100 %, images by digest, 0 `:latest`", lambda *_: p27_pods()),
    "P28": Measure("rules for what the stacks of three clouds make", "0 broken", lambda *_: p28_infrastructure()),
}


def table(figures: Mapping[str, str]) -> str:
    lines = ["| property | what is measured | promised | measured |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {m.what} | {m.promised} | {figures[name]} |" for name, m in MEASURES.items()]
    return "\n".join(lines)


def known(page: str) -> dict[str, str]:
    """What the page says so far."""
    before = page.partition(BEGIN)[2].partition(END)[0]
    rows = (line.strip("| ").split(" | ") for line in before.splitlines() if line.startswith("| P"))
    return {name: measured for name, *_, measured in rows}


@click.command()
@click.option("--requests", default=2000, show_default=True, help="How many the larger measurements send.")
@click.option("--only", multiple=True, type=click.Choice([*MEASURES]), help="Measure this one; may be repeated.")
@click.option("--print", "only_print", is_flag=True, help="Leave the page alone.")
def main(requests: int, only: Sequence[str], only_print: bool) -> None:
    page = PAGE.read_text()
    figures = dict.fromkeys(MEASURES, "not measured yet") | known(page)
    with running_standins() as standins:
        for name in only or [name for name, measure in MEASURES.items() if not measure.asked_for]:
            figures[name] = MEASURES[name].run(standins, requests)
            click.echo(f"{name}: {figures[name]}")
    if not only_print:
        written = f"{BEGIN}\n\n{table(figures)}\n\n{END}"
        PAGE.write_text(re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: written, page, flags=re.DOTALL))


if __name__ == "__main__":
    main()
