"""What to do with a pool, in one word and one sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from .breakeven import (
    External,
    Pool,
    Saving,
    Traffic,
    breakeven,
    node_price_to_win,
    replacements,
    saving,
)

Word = Literal["off", "keep", "from", "unknown", "alone"]


class Verdict(Struct, frozen=True, kw_only=True):
    """``off``: turn the pool off, it is dearer than ``against``; ``keep``: it is cheaper; ``from``: it is cheaper from
    some load on, and the present one is unknown; ``alone``: there is nothing to compare with; ``unknown``: its own
    price is unknown."""

    word: Word
    text: str
    against: str | None = None


def verdict(pool: Pool, externals: Sequence[External], traffic: Traffic) -> Verdict:
    """Against the cheapest target that may take the pool's requests."""
    if pool.usd_per_hour(1) is None:
        return Verdict(word="unknown", text="what a node costs is unknown: set costPerHour")
    able, lacking = replacements(pool, externals)
    if not able:
        return Verdict(word="alone", text="no API with a known price is configured to compare it with")
    rival = able[0]
    caveat = f" (for requests that need none of {', '.join(sorted(lacking))})" if lacking else ""
    if traffic.requests_per_day is None:
        found = _without_load(pool, rival, traffic)
    else:
        found = _at_load(pool, rival, traffic, traffic.requests_per_day)
    return Verdict(word=found.word, text=found.text + caveat, against=rival.target)


def _without_load(pool: Pool, rival: External, traffic: Traffic) -> Verdict:
    point = breakeven(pool, rival, traffic)
    if point is None:
        return _never(pool, rival)
    nodes = "1 node" if point.nodes == 1 else f"{point.nodes} nodes"
    text = f"pays from {point.requests_per_day:,.0f} requests a day on, with {nodes}, against {rival.target}"
    return Verdict(word="from", text=text)


def _at_load(pool: Pool, rival: External, traffic: Traffic, requests_per_day: float) -> Verdict:
    best = saving(pool, rival, requests_per_day)
    point = breakeven(pool, rival, traffic)
    if point is None or best is None:
        return _never(pool, rival)
    load = f"{requests_per_day:,.0f} requests a day"
    if best.usd_per_day >= 0:
        return Verdict(word="keep", text=f"keep it: at {load} it saves {_a_day(best)} against {rival.target}")
    text = (
        f"turn this pool off: at {load} it costs {_a_day(best)} more than {rival.target}; it pays from "
        f"{point.requests_per_day:,.0f} on"
    )
    return Verdict(word="off", text=text)


def _never(pool: Pool, rival: External) -> Verdict:
    """Not even full."""
    full = pool.most_requests_per_hour(pool.most_nodes)
    text = f"turn this pool off: it never gets cheaper than {rival.target}"
    rent = pool.usd_per_hour(pool.most_nodes)
    if rent is not None and rival.request_usd is not None and math.isfinite(full):
        outside = full * rival.request_usd
        text = (
            f"turn this pool off: even full, at {full:,.0f} requests an hour, it costs "
            f"{rent + full * pool.request_usd:.4f} USD an hour, which {rival.target} does for {outside:.4f}"
        )
        price = node_price_to_win(pool, rival)
        if price is not None:
            text += f"; it would pay at {price:.4f} USD per node-hour"
        if not pool.reading_known:
            text += "; how fast it reads is unknown, so measure that first"
    return Verdict(word="off", text=text)


def _a_day(amount: Saving) -> str:
    return f"{abs(amount.usd_per_day):.2f} USD a day"
