"""The cost of a day over the requests of a day as SVG: what a pool costs in steps, what each API costs in lines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from ..pricing.breakeven import HOURS_PER_DAY, External, Pool, Traffic, breakeven

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 70, 250, 50, 50
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's, which people see apart who see few colours."""
POOL_COLOUR = "#000000"
TICKS = 5
MOST_STEPS = 200
HEADROOM = 1.6
"""How much more than the pool the picture shows: what costs more leaves it at the top."""


@dataclass(frozen=True, slots=True)
class _Scale:
    most_requests: float
    most_usd: float

    def at(self, requests: float, usd: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * requests / self.most_requests
        return x, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * usd / self.most_usd


def plot(pools: Sequence[tuple[Pool, Sequence[External], Traffic]]) -> str:
    """One panel a pool, of those whose price is known."""
    panels = [panel for pool in pools if (panel := _panel(*pool))]
    height = max(1, len(panels)) * HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *(f'<g transform="translate(0 {number * HEIGHT})">{panel}</g>' for number, panel in enumerate(panels)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(pool: Pool, externals: Sequence[External], traffic: Traffic) -> str:
    rent = pool.usd_per_hour(pool.most_nodes)
    if rent is None:
        return ""
    scale = _Scale(_most_requests(pool, externals, traffic), max(rent * HOURS_PER_DAY * HEADROOM, 1e-6))
    parts = [_text(LEFT, TOP - 22, f"{pool.name}: USD a day over requests a day", size=14), *_axes(scale)]
    parts.append(_polyline(_steps(pool, scale.most_requests), scale, POOL_COLOUR, width=3))
    legend = [(POOL_COLOUR, f"{pool.name} (1 to {pool.most_nodes} nodes)" if pool.most_nodes > 1 else pool.name)]
    for number, one in enumerate(one for one in externals if one.request_usd is not None):
        colour = COLOURS[number % len(COLOURS)]
        line = [(0.0, 0.0), _last_inside(scale, one.request_usd or 0.0)]
        parts.append(_polyline(line, scale, colour, width=2))
        legend.append((colour, one.target))
        point = breakeven(pool, one, traffic)
        if point is not None and point.requests_per_day <= scale.most_requests:
            x, y = scale.at(point.requests_per_day, point.requests_per_day * (one.request_usd or 0.0))
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>')
    if traffic.requests_per_day is not None and traffic.requests_per_day <= scale.most_requests:
        load = [(traffic.requests_per_day, 0.0), (traffic.requests_per_day, scale.most_usd)]
        parts.append(_polyline(load, scale, "#888888", width=1))
        legend.append(("#888888", "present load"))
    return "\n".join([*parts, *_legend(legend)])


def _most_requests(pool: Pool, externals: Sequence[External], traffic: Traffic) -> float:
    """The pool's own end, or where the dearest picture ends: the break-even points."""
    full = pool.most_requests_per_hour(pool.most_nodes) * HOURS_PER_DAY
    points = [point.requests_per_day for one in externals if (point := breakeven(pool, one, traffic)) is not None]
    shown = [full] if math.isfinite(full) else [2 * most for most in points] or [1.0]
    return max(*shown, traffic.requests_per_day or 0.0, 1.0) * 1.05


def _last_inside(scale: _Scale, request_usd: float) -> tuple[float, float]:
    """Where the line through 0 leaves the picture."""
    if request_usd * scale.most_requests <= scale.most_usd:
        return scale.most_requests, request_usd * scale.most_requests
    return scale.most_usd / request_usd, scale.most_usd


def _steps(pool: Pool, most_requests: float) -> list[tuple[float, float]]:
    """A node more as soon as the others are full; beyond the last one the pool serves no more."""
    points: list[tuple[float, float]] = []
    begins = 0.0
    for nodes in range(pool.least_nodes, min(pool.most_nodes, pool.least_nodes + MOST_STEPS) + 1):
        rent = (pool.usd_per_hour(nodes) or 0.0) * HOURS_PER_DAY
        ends = min(pool.most_requests_per_hour(nodes) * HOURS_PER_DAY, most_requests)
        points += [(begins, rent + begins * pool.request_usd), (ends, rent + ends * pool.request_usd)]
        begins = ends
    return points


def _axes(scale: _Scale) -> Iterator[str]:
    for tick in range(TICKS + 1):
        requests, usd = scale.most_requests * tick / TICKS, scale.most_usd * tick / TICKS
        (x, bottom), (_, y) = scale.at(requests, 0.0), scale.at(0.0, usd)
        yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#dddddd"/>'
        yield _text(LEFT - 8, y + 4, f"{usd:,.2f}", anchor="end")
        yield _text(x, bottom + 18, f"{requests:,.0f}", anchor="middle")


def _legend(entries: Sequence[tuple[str, str]]) -> Iterator[str]:
    x = WIDTH - RIGHT + 20
    for number, (colour, text) in enumerate(entries):
        y = TOP + 10 + number * 20
        yield f'<line x1="{x}" y1="{y - 4}" x2="{x + 22}" y2="{y - 4}" stroke="{colour}" stroke-width="3"/>'
        yield _text(x + 30, y, text)


def _polyline(points: Sequence[tuple[float, float]], scale: _Scale, colour: str, *, width: int) -> str:
    where = " ".join("{:.1f},{:.1f}".format(*scale.at(requests, min(usd, scale.most_usd))) for requests, usd in points)
    return f'<polyline points="{where}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'
