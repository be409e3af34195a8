"""``llm-router simulate``: what each strategy would have cost on traffic of the past."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from .common import config_option, print_json, say

F = TypeVar("F", bound=Callable[..., Any])


def _finite(_ctx: click.Context, _param: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number to reckon with")
    return value


def _number(name: str, default: float, least: float, most: float | None, help_: str) -> Callable[[F], F]:
    kind = click.FloatRange(least, most)
    return click.option(name, default=default, show_default=True, type=kind, callback=_finite, help=help_)


@click.command()
@config_option
@click.option(
    "--trace", "trace_path", required=True, type=click.Path(path_type=Path), help="CSV, or JSON lines of the ledger."
)
@click.option("--thin", default=1, show_default=True, type=click.IntRange(min=1), help="Keep about one of N requests.")
@_number("--stretch", 1.0, 1e-6, 1e6, "Let the same requests take S times as long to come.")
@click.option("--seed", default=1, show_default=True, help="Which requests are kept, and which need a capable target.")
@_number("--capable", 0.0, 0, 1, "Share of requests that clusters of simple-tasks cannot answer.")
@_number("--solver-time", 30.0, 0, None, "Seconds for each of the two ways to prove a lower bound.")
@click.option("--json", "as_json_", is_flag=True, help="One JSON document instead of a table.")
def simulate(
    config_path: Path,
    trace_path: Path,
    thin: int,
    stretch: float,
    seed: int,
    capable: float,
    solver_time: float,
    as_json_: bool,
) -> None:
    """Replay a trace: what each strategy would have cost, and how well anybody could have done."""
    from ..config.load import load_for_reckoning
    from ..pricing.list_prices import PriceBook
    from ..simulate.comparison import compare
    from ..simulate.report import as_json, render
    from ..simulate.trace import marked, stretched, thinned
    from ..simulate.trace_file import read_trace

    config = load_for_reckoning(str(config_path)).config
    trace = marked(stretched(thinned(read_trace(trace_path), thin, seed), stretch), capable, seed)
    prices = PriceBook(datetime.now(UTC))
    comparison = compare(config, trace, prices, file=str(config_path), time_limit_s=solver_time, report=say)
    if as_json_:
        print_json(as_json(comparison))
    else:
        render(comparison)
