"""The savings report as a table for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

FIGURES = (
    ("requests", "requests"),
    ("input tokens", "input_tokens"),
    ("output tokens", "output_tokens"),
    ("cost USD", "cost_usd"),
    ("compared", "compared"),
    ("their cost", "compared_cost_usd"),
    ("baseline USD", "baseline_usd"),
    ("saved USD", "savings_usd"),
    ("not compared", "not_compared"),
)


def render(report: dict[str, Any]) -> None:
    """On standard output. Amounts have the digits that make shown rows add up to the shown whole, to the cent."""
    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, show_footer=bool(report["by"]))
    for name in report["by"]:
        table.add_column(name, footer="all" if name == report["by"][0] else "")
    for title, name in FIGURES:
        table.add_column(title, justify="right", footer=_shown(report[name]))
    for row in report["rows"] if report["by"] else [report]:
        table.add_row(*(str(row[name]) for name in report["by"]), *(_shown(row[name]) for _, name in FIGURES))
    console.print(table)
    console.print()
    for line in _notes(report):
        console.print(line, markup=False)


def _shown(value: float) -> str:
    return f"{value:,.8f}" if isinstance(value, float) else f"{value:,}"


def _notes(report: dict[str, Any]) -> list[str]:
    since = f"since {report['since']}" if report["since"] else "since the beginning"
    notes = [f"{since}, until {report['until']}, from the ledger in {report['ledger']}"]
    for name, figures in report["baselines"].items():
        saved, of = figures["savings_usd"], figures["baseline_usd"]
        share = f", {saved / of:.1%} of what it would have cost" if of else ""
        word = "saved" if saved >= 0 else "lost"
        requests = f"{figures['requests']:,} requests"
        notes.append(f"against {name}: {abs(saved):,.8f} USD {word} on {requests}{share}")
    if report["not_compared"]:
        notes.append(
            f"{report['not_compared']:,} answered requests could not be compared: no baseline or no known price"
        )
    if report["unanswered"]:
        notes.append(f"{report['unanswered']:,} requests were not answered")
    if report["unknown_costs"]:
        notes.append(f"{report['unknown_costs']:,} requests have a cost that is not known, and is not in these sums")
    if report["estimated"]:
        notes.append(f"{report['estimated']:,} requests have estimated tokens")
    if not report["complete"]:
        notes.append("incomplete: of what is no longer in memory, whole days are known only")
    return notes
