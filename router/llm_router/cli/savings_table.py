"""The savings report as a table for people."""

from __future__ import annotations

from typing import Any

import click

FIGURES = (
    ("requests", "requests"),
    ("input tokens", "input_tokens"),
    ("output tokens", "output_tokens"),
    ("cost USD", "cost_usd"),
    ("compared", "compared"),
    ("their cost USD", "compared_cost_usd"),
    ("baseline USD", "baseline_usd"),
    ("saved USD", "savings_usd"),
    ("not compared", "not_compared"),
)


def render(report: dict[str, Any]) -> None:
    """On standard output. Amounts have so many digits that the rows shown add up to the whole shown, to the cent."""
    by = report["by"]
    whole = report | dict.fromkeys(by, "") | dict.fromkeys(by[:1], "all")
    rows = [*report["rows"], whole] if by else [whole]
    lines = [[*by, *(title for title, _ in FIGURES)]]
    lines += [[*(row[name] for name in by), *(_shown(row[name]) for _, name in FIGURES)] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        names = (cell.ljust(width) for cell, width in zip(line[: len(by)], widths, strict=False))
        figures = (cell.rjust(width) for cell, width in zip(line[len(by) :], widths[len(by) :], strict=True))
        click.echo("  ".join((*names, *figures)).rstrip())
    click.echo()
    for note in _notes(report):
        click.echo(note)


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
