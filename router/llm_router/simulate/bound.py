"""How little a run can cost that keeps the limit: proven in two ways, of which the higher bound counts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from .fleet import Fleet
from .node_bound import bound_by_nodes
from .options import Options
from .program import SolverMissing
from .program_bound import bound_by_program
from .trace import Trace

LATE_SHARE = 0.01
"""The share of requests that may be late in a run that keeps the limit."""

_PROGRAM = "mixed-integer program (HiGHS)"
_NODES = "Lagrange decomposition by nodes"


class Bound(Struct, frozen=True, kw_only=True):
    """No run that keeps the limit costs less than ``usd``; ``None``: there is no such run. ``method`` is the one that
    gave this figure; ``status`` and ``gap`` are the solver's own, on its program. ``warning`` says what is missing."""

    usd: float | None
    method: str
    status: str
    gap: float | None = None
    warning: str | None = None


def lower_bound(
    trace: Trace,
    fleet: Fleet,
    options: Sequence[Options],
    limit_s: float,
    *,
    reached_usd: float | None,
    time_limit_s: float,
) -> Bound:
    """``reached_usd`` is the bill of some run that keeps the limit. Each way may take ``time_limit_s``."""
    late = late_allowed(len(trace.requests))
    by_nodes = bound_by_nodes(
        trace,
        fleet,
        options,
        limit_s,
        late=late,
        reached_usd=math.inf if reached_usd is None else reached_usd,
        time_limit_s=time_limit_s,
    )
    try:
        program = bound_by_program(trace, fleet, options, limit_s, late=late, time_limit_s=time_limit_s)
    except SolverMissing as missing:
        return Bound(usd=by_nodes, method=_NODES, status="no solver", warning=str(missing))
    usd = max(program.usd, by_nodes)
    return Bound(
        usd=None if usd == math.inf else usd,
        method=_PROGRAM if program.usd >= by_nodes else f"{_NODES}, above the {_PROGRAM}",
        status=program.status,
        gap=program.gap,
    )


def late_allowed(requests: int) -> int:
    """How many of so many requests may be late."""
    return math.floor(LATE_SHARE * requests + 1e-9)
