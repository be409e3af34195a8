"""``llm-router breakeven``: from which load on each pool is cheaper than each API, and which pool to turn off."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from .common import config_option, print_json, say

if TYPE_CHECKING:
    from ..config.schema import Config
    from ..pricing.breakeven import External, Point, Pool, Traffic
    from ..pricing.breakeven_verdict import Verdict

SECONDS_PER_DAY = 86_400.0
SHORT_TRACE_S = 600.0
"""What less of a day says nothing of the day."""
DEFAULT_INPUT_TOKENS, DEFAULT_OUTPUT_TOKENS = 1147.0, 211.0
"""A conversation, as the means of a public trace of one say (Azure LLM inference 2023)."""

_COLUMNS = ("against", "USD per 1,000 requests", "requests a day", "an hour", "tokens/s", "nodes", "busy", "note")


@click.command()
@config_option
@click.option("--input-tokens", type=click.FloatRange(min=0), help="Mean prompt. Default: 1147, a conversation's.")
@click.option("--output-tokens", type=click.FloatRange(min=0), help="Mean answer. Default: 211, a conversation's.")
@click.option("--trace", type=click.Path(path_type=Path), help="Means and load of this trace (CSV or JSON lines).")
@click.option("--requests-per-day", type=click.FloatRange(min=0), help="Present load of each pool.")
@click.option("--against", multiple=True, metavar="TARGET", help="Only this API; may be given several times.")
@click.option(
    "--usable", default=0.75, show_default=True, type=click.FloatRange(0.01, 1), help="Share of a node's time."
)
@click.option("--json", "as_json_", is_flag=True, help="One JSON document instead of tables.")
@click.option("--plot", "plot_file", type=click.Path(path_type=Path), help="Also draw it, as SVG.")
def breakeven(
    config_path: Path,
    trace: Path | None,
    against: tuple[str, ...],
    usable: float,
    as_json_: bool,
    plot_file: Path | None,
    **mean: float | None,
) -> None:
    """Say from which load on each pool is cheaper than each API, at today's prices, fixed costs included.

    A pool that cannot win, or does not at the present load, is named: turn it off.
    """
    from ..config.load import load_for_reckoning
    from ..pricing.breakeven import pool_of

    config = load_for_reckoning(str(config_path)).config
    traffic = _traffic(trace, **mean)
    externals = _externals(config, traffic, against)
    pools = [pool_of(cluster, traffic, usable) for cluster in config.clusters]
    if not pools:
        raise click.ClickException(f"{config_path} has no clusters: there is nothing to compare")
    if plot_file is not None:
        _draw(plot_file, pools, externals, traffic)
    if as_json_:
        print_json(_as_json(pools, externals, traffic))
    else:
        _print(pools, externals, traffic)


def _traffic(
    trace: Path | None, input_tokens: float | None, output_tokens: float | None, requests_per_day: float | None
) -> Traffic:
    """What is given on the command line counts, then the trace, then a conversation."""
    from ..pricing.breakeven import Traffic

    usual = Traffic(input_tokens=DEFAULT_INPUT_TOKENS, output_tokens=DEFAULT_OUTPUT_TOKENS)
    traffic = usual if trace is None else _traffic_of(trace)
    given = {"input_tokens": input_tokens, "output_tokens": output_tokens, "requests_per_day": requests_per_day}
    traffic = replace(traffic, **{name: value for name, value in given.items() if value is not None})
    if traffic.input_tokens + traffic.output_tokens <= 0:
        raise click.UsageError("a request without any tokens costs nothing anywhere")
    return traffic


def _traffic_of(trace: Path) -> Traffic:
    """The mean request, and how many come a day; what is odd about the trace is said."""
    from ..pricing.breakeven import Traffic
    from ..simulate.trace_file import read_trace

    read = read_trace(trace)
    for note in read.notes:
        say(f"{trace}: {note}")
    if read.span_s < SHORT_TRACE_S:
        say(f"{trace}: spans {read.span_s:.1f} s only, so how many come a day is a guess: state --requests-per-day")
    return Traffic(
        input_tokens=fmean(request.input_tokens for request in read.requests),
        output_tokens=fmean(request.output_tokens for request in read.requests),
        requests_per_day=len(read.requests) / read.span_s * SECONDS_PER_DAY if read.span_s > 0 else None,
    )


def _externals(config: Config, traffic: Traffic, against: Sequence[str]) -> list[External]:
    from datetime import UTC, datetime

    from ..pricing.breakeven import external_of
    from ..pricing.list_prices import PriceBook
    from ..routing.requirements import is_called
    from ..routing.targets import build_targets

    targets = [one for one in build_targets(config, PriceBook(datetime.now(UTC))) if one.kind == "provider"]
    for name in against:
        if not any(is_called(target, name) for target in targets):
            known = ", ".join(target.name for target in targets) or "none"
            raise click.BadParameter(
                f"{name!r} is no API of the configuration; known are {known}", param_hint="--against"
            )
    asked = [one for one in targets if not against or any(is_called(one, name) for name in against)]
    return sorted((external_of(one, traffic) for one in asked), key=lambda one: one.request_usd or math.inf)


def _draw(file: Path, pools: Iterable[Pool], externals: Sequence[External], traffic: Traffic) -> None:
    from .breakeven_plot import plot

    if file.suffix != ".svg":
        raise click.BadParameter(f"{file} must end in .svg: no other kind of picture is drawn", param_hint="--plot")
    try:
        file.write_text(plot([(pool, externals, traffic) for pool in pools]))
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror}") from error


# ---------------------------------------------------------------- for people


def _print(pools: Sequence[Pool], externals: Sequence[External], traffic: Traffic) -> None:
    from ..pricing.breakeven_verdict import verdict
    from ..printing import print_table, standard_output

    load = traffic.requests_per_day
    present = "" if load is None else f", {load:,.0f} requests a day for each pool"
    click.echo(f"a request: {traffic.input_tokens:,.0f} prompt tokens, {traffic.output_tokens:,.0f} generated{present}")
    console = standard_output()
    for pool in pools:
        click.echo()
        print_table(console, _COLUMNS, (_row(pool, one, traffic) for one in externals), title=pool.name)
        for line in (*_terms(pool), f"→ {verdict(pool, externals, traffic).text}"):
            click.echo(line)


def _terms(pool: Pool) -> Iterator[str]:
    price = "of unknown price" if pool.node_usd_per_hour is None else f"at {pool.node_usd_per_hour:g} USD an hour"
    speed = pool.most_requests_per_hour(1)
    able = "an unknown number of" if math.isinf(speed) else f"{speed:,.0f}"
    nodes = f"{pool.least_nodes} to {pool.most_nodes} nodes" if pool.most_nodes > pool.least_nodes else _nodes(pool)
    yield f"{nodes} {price}, each for {able} requests an hour"
    yield f"fixed cost {pool.fixed.usd_per_hour:.4f} USD an hour ({pool.fixed.source})"
    if not pool.reading_known:
        yield "reading is taken to be as slow as writing: set capacity.prefillTokensPerSecond"


def _nodes(pool: Pool) -> str:
    return "1 node" if pool.least_nodes == 1 else f"{pool.least_nodes} nodes"


def _row(pool: Pool, one: External, traffic: Traffic) -> tuple[str, ...]:
    from ..pricing.breakeven import breakeven

    if one.request_usd is None:
        return one.target, "unknown", "", "", "", "", "", "no list price is known"
    lacks = pool.compliance - one.compliance
    note = f"not {', '.join(sorted(lacks))}" if lacks else ""
    cost = f"{one.request_usd * 1000:.4f}"
    return one.target, cost, *_point(breakeven(pool, one, traffic)), note


def _point(point: Point | None) -> Iterator[str]:
    if point is None:
        yield from ("never", "", "", "", "")
        return
    yield f"{point.requests_per_day:,.0f}"
    yield f"{point.requests_per_hour:,.1f}"
    yield f"{point.tokens_per_second:,.1f}"
    yield str(point.nodes)
    yield "unknown" if point.utilisation is None else f"{point.utilisation:.0%}"


# ---------------------------------------------------------------- for machines


def _as_json(pools: Sequence[Pool], externals: Sequence[External], traffic: Traffic) -> dict[str, Any]:
    from ..pricing.breakeven_verdict import verdict

    return {
        "traffic": {
            "input_tokens": traffic.input_tokens,
            "output_tokens": traffic.output_tokens,
            "requests_per_day": traffic.requests_per_day,
        },
        "pools": [_pool_as_json(pool, externals, traffic, verdict(pool, externals, traffic)) for pool in pools],
    }


def _pool_as_json(pool: Pool, externals: Sequence[External], traffic: Traffic, found: Verdict) -> dict[str, Any]:
    speed = pool.most_requests_per_hour(1)
    return {
        "pool": pool.name,
        "node_usd_per_hour": pool.node_usd_per_hour,
        "fixed_usd_per_hour": pool.fixed.usd_per_hour if pool.fixed.known else None,
        "fixed_source": pool.fixed.source,
        "reading_speed_known": pool.reading_known,
        "nodes": {"least": pool.least_nodes, "most": pool.most_nodes},
        "usable_requests_per_node_hour": speed if math.isfinite(speed) else None,
        "against": [_external_as_json(pool, one, traffic) for one in externals],
        "verdict": {"word": found.word, "text": found.text, "against": found.against},
    }


def _external_as_json(pool: Pool, one: External, traffic: Traffic) -> dict[str, Any]:
    from ..pricing.breakeven import breakeven, saving

    point = breakeven(pool, one, traffic)
    saved = None if traffic.requests_per_day is None else saving(pool, one, traffic.requests_per_day)
    return {
        "target": one.target,
        "model": one.model,
        "usd_per_request": one.request_usd,
        "lacks": sorted(pool.compliance - one.compliance),
        "breakeven": None
        if point is None
        else {
            "requests_per_day": point.requests_per_day,
            "requests_per_hour": point.requests_per_hour,
            "tokens_per_second": point.tokens_per_second,
            "nodes": point.nodes,
            "utilisation": point.utilisation,
        },
        "saving_usd_per_day": None if saved is None else saved.usd_per_day,
    }
