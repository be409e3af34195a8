"""A request on its way through a run."""

from __future__ import annotations

from msgspec import Struct

from .trace import Request


class Job(Struct, kw_only=True, eq=False):
    """The ``number``-th request of a trace. ``target`` is who answered, empty where everybody refused; ``usd`` what a
    provider charges. Times are seconds of the trace."""

    number: int
    request: Request
    target: str = ""
    usd: float = 0.0
    first_token_s: float | None = None
    done_s: float | None = None
