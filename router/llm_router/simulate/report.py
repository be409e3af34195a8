"""A comparison for programs and for people."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins
from rich.table import Table

from ..printing import standard_output
from .bound import LATE_SHARE
from .comparison import Comparison, keeps_the_limit
from .figures import Figures, Quantiles


def as_json(comparison: Comparison) -> dict[str, Any]:
    trace, optimum = comparison.trace, comparison.optimum
    bound = {"usd": optimum.usd, "method": optimum.method, "status": optimum.status, "gap": optimum.gap}
    return {
        "trace": {"requests": len(trace.requests), "span_s": trace.span_s, "notes": list(trace.notes)},
        "max_latency_ms": round(comparison.limit_s * 1000),
        "max_miss_rate": LATE_SHARE,
        "optimum": bound,
        "reached": to_builtins(comparison.reached),
        "fixed_usd": comparison.fixed_usd,
        "strategies": {name: to_builtins(figures) for name, figures in comparison.strategies.items()},
        "policies": {name: to_builtins(figures) for name, figures in comparison.policies.items()},
    }


def render(comparison: Comparison) -> None:
    """A table on standard output: the cheapest first, those that break the limit last."""
    trace = comparison.trace
    title = (
        f"{len(trace.requests)} requests in {trace.span_s / 3600:.2f} h; first token within {comparison.limit_s:g} s "
        f"for all but {LATE_SHARE:.0%}"
    )
    table = Table(title=title, caption=_caption(comparison), caption_justify="left", title_justify="left")
    for column in ("", "USD", "nodes", "external", "avoidable", "÷ best", "late", "first token", "whole answer", "who"):
        table.add_column(column, justify="left" if column in ("", "who") else "right", no_wrap=column != "who")
    runs = {**comparison.strategies, **{name.replace("_", " "): run for name, run in comparison.policies.items()}}
    for name, figures in sorted(runs.items(), key=lambda run: (not keeps_the_limit(run[1]), run[1].usd)):
        table.add_row(*_row(name, figures, comparison.reached.usd), style=None if keeps_the_limit(figures) else "dim")
    standard_output().print(table)


def _row(name: str, figures: Figures, best_usd: float | None) -> tuple[str, ...]:
    usd = (figures.usd, figures.usd_nodes, figures.usd_external, figures.usd_avoidable)
    return (
        name,
        *(f"{amount:.4f}" for amount in usd),
        f"{figures.usd / best_usd:.3f}" if best_usd else "",
        f"{figures.miss_rate:.2%}",
        _seconds(figures.ttft_s),
        _seconds(figures.total_s),
        ", ".join(
            [
                *(f"{target} {share:.0%}" for target, share in figures.share.items()),
                *([f"nobody {figures.refused}"] if figures.refused else []),
            ]
        ),
    )


def _seconds(quantiles: Quantiles) -> str:
    known = (quantiles.p50, quantiles.p95, quantiles.p99)
    return " / ".join("-" if seconds is None else f"{seconds:.2f}" for seconds in known)


def _caption(comparison: Comparison) -> str:
    optimum, reached = comparison.optimum, comparison.reached
    lines = ["Times are p50 / p95 / p99 in seconds. Avoidable: without the nodes that run anyway."]
    if optimum.usd is None:
        lines.append(f"No run keeps the limit, whatever it does ({optimum.method}: {optimum.status}).")
    else:
        gap = "" if optimum.gap is None else f", gap {optimum.gap:.2%}"
        how = f"{optimum.method}: {optimum.status}{gap}"
        lines.append(f"No run that keeps the limit costs less than {optimum.usd:.4f} USD ({how}).")
    if reached.usd is None:
        lines.append("No run that was tried keeps the limit.")
    else:
        lines.append(f"The best run found costs {reached.usd:.4f} USD ({reached.by}).")
    if comparison.fixed_usd is None:
        lines.append("Control planes, NAT and load balancers are not in these figures, and not known for every cloud.")
    else:
        lines.append(f"Not in these figures: control planes, NAT, load balancers, {comparison.fixed_usd:.4f} USD.")
    return "\n".join([*lines, *comparison.trace.notes])
