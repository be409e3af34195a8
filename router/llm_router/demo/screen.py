"""What the demo shows: progress on standard error, the table and the summary on standard output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from .costs import Costs
from .steps import Result

COLUMNS = (
    ("request", 27),
    ("target", 10),
    ("model", 22),
    ("reason", 18),
    ("tries", 6),
    ("tokens", 7),
    ("USD", 12),
    ("saved USD", 12),
)
SHOWN_METRICS = (
    "llm_router_cluster_cost_per_1k_tokens{",
    "llm_router_provider_cost_per_1k_tokens{",
    "llm_router_cost_usd_total{",
    "llm_router_savings_usd_total{",
    "llm_router_failovers_total{",
)


class Screen:
    """``quiet`` leaves standard output to somebody else."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._out = Console(highlight=False, soft_wrap=True)
        self._err = Console(stderr=True, highlight=False, soft_wrap=True)

    def progress(self, text: str) -> None:
        self._err.print(f"[dim]… {_plain(text)}[/dim]")

    def error(self, text: str) -> None:
        self._err.print(f"[red]error:[/red] {_plain(text)}")

    def open_table(self) -> None:
        self._print("")
        self._print("[bold]" + "".join(name.ljust(width) for name, width in COLUMNS) + "[/bold]")

    def row(self, result: Result) -> None:
        cells = (
            result.title,
            result.target or "–",
            result.model or "–",
            result.reason or f"refused {result.status}",
            str(result.attempts),
            str(result.tokens or "–"),
            _usd(result.cost_usd),
            _usd(result.saved_usd),
        )
        line = "".join(_plain(cell.ljust(width)) for cell, (_, width) in zip(cells, COLUMNS, strict=True))
        self._print(line if result.problem is None else f"[red]{line}[/red]")
        if result.text:
            shown = " ".join(result.text.split())
            self._print(f"[dim]  {_plain(shown[:108])}{'…' if len(shown) > 108 else ''}[/dim]")
        if result.problem is not None:
            self._print(f"[red]  ✗ {_plain(result.problem)}[/red]")

    def costs(self, before: Costs, after: Costs) -> None:
        """What tokens cost in every cluster, before and after, and its node."""
        heads = ("cluster", 9), ("USD per node-hour", 22), ("USD per 1K: capacity", 26), ("realised", 26), ("price", 0)
        self._print("  [bold]" + "".join(head.ljust(width) for head, width in heads) + "[/bold]")
        for name, cost in after.items():
            old = before[name]
            capacity = f"{_usd(old.capacity)} → {_usd(cost.capacity)}"
            realised = f"{_usd(old.realised)} → {_usd(cost.realised)}"
            node = f"{_usd(old.node_usd_per_hour, 4)} → {_usd(cost.node_usd_per_hour, 4)}"
            self._print(f"  {name:<9}{node:<22}{capacity:<26}{realised:<26}{cost.price_source}")

    def scene(self, text: str) -> None:
        self._print(f"[yellow]── {_plain(text)}[/yellow]")

    def summary(self, savings: dict[str, Any], metrics: str, problems: Sequence[str]) -> None:
        self._print("\n[bold]spent and saved[/bold] (self-hosted tokens at their live capacity cost)")
        for row in (*savings["rows"], {"target": "all", **savings}):
            spent, saved = _usd(row["cost_usd"]), _usd(row["savings_usd"])
            counted = f"{row['requests']:>4} requests  {row['compared']:>4} compared"
            self._print(f"  {row['target'].ljust(10)}{counted}  {spent:>12} USD  {saved:>12} saved")
        for name, totals in savings["baselines"].items():
            self._print(f"  against {name}: {_usd(totals['savings_usd'])} USD saved")
        self._print("\n[bold]from /metrics[/bold]")
        for line in metrics.splitlines():
            if line.startswith(SHOWN_METRICS):
                self._print(f"  {_plain(line)}")
        self._print("")
        if problems:
            for problem in problems:
                self._print(f"[red]✗ {_plain(problem)}[/red]")
        else:
            self._print("[green]✓ everything went as it should[/green]")

    def invite(self, url: str, admin_url: str, control_port: int) -> None:
        self._print(
            f"\nThe router serves on [bold]{url}/v1[/bold], and shows what it does on [bold]{admin_url}/[/bold]. Try:\n"
            f"  curl {url}/v1/chat/completions -H 'Content-Type: application/json' \\\n"
            '    -d \'{"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10}\' -i\n'
            f"  curl {url}/health\n"
            f"  curl -X POST http://127.0.0.1:{control_port}/clusters/aws/stop     (and …/start)\n"
            "Ctrl-C ends everything."
        )

    def _print(self, text: str) -> None:
        if not self._quiet:
            self._out.print(text)


def _usd(amount: float | None, places: int = 8) -> str:
    return "–" if amount is None else f"{amount:.{places}f}"


def _plain(text: str) -> str:
    """Text of others is never markup."""
    return text.replace("[", "\\[")
