"""What traffic of the past would have cost."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from .common import config_option, say


@click.command()
@config_option
@click.option(
    "--trace", "trace_path", required=True, type=click.Path(path_type=Path), help="CSV, or JSON lines of the ledger."
)
@click.option("--thin", default=1, show_default=True, type=click.IntRange(min=1), help="Keep about one of N requests.")
@click.option("--stretch", default=1.0, show_default=True, help="Let the same requests take S times as long to come.")
@click.option("--seed", default=1, show_default=True, help="Which requests are kept, and which need a capable target.")
@click.option(
    "--capable",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of requests that clusters of simple-tasks cannot answer.",
)
@click.option(
    "--solver-time",
    default=30.0,
    show_default=True,
    help="Seconds for the lower bound, which holds even when they end it.",
)
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
    import msgspec

    from ..config.load import load
    from ..pricing.list_prices import PriceBook
    from ..simulate.comparison import compare
    from ..simulate.report import as_json, render
    from ..simulate.trace import marked, stretched, thinned
    from ..simulate.trace_file import TraceError, read_trace

    loaded = load(str(config_path), os.environ)
    try:
        trace = marked(stretched(thinned(read_trace(trace_path), thin, seed), stretch), capable, seed)
    except TraceError as error:
        raise click.ClickException(str(error)) from error
    prices = PriceBook(datetime.now(UTC))
    comparison = compare(loaded.config, trace, prices, file=str(config_path), time_limit_s=solver_time, report=say)
    if as_json_:
        click.echo(msgspec.json.format(msgspec.json.encode(as_json(comparison)), indent=2).decode())
    else:
        render(comparison)
