"""What workers wrote down, and what must be true of it: a checker in the manner of Jepsen's, for counters with leases.

Times are of the machine's monotonic clock, which its processes share.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llm_router.admission.window import WINDOW_S


@dataclass
class Held:
    """One grant. ``until`` is when it was settled, or when the process that held it was killed or paused."""

    at: float
    tokens: int
    nano_usd: int
    until: float = math.inf
    settled: bool = False


@dataclass
class Worker:
    """``gone_at`` is when it was killed, or was paused for longer than its leases live: what it held may be another's
    from then on. ``killed`` means that nobody knows whether its last settlements were sent."""

    grants: list[Held] = field(default_factory=list)
    gone_at: float = math.inf
    killed: bool = False

    @classmethod
    def read(cls, log: Path, *, killed_at: float = math.inf, paused_at: Iterable[float] = ()) -> Worker:
        """``paused_at`` are the beginnings of pauses longer than a lease lives; the log names more of them."""
        running: dict[int, Held] = {}
        lost_at = [killed_at, *paused_at]
        worker = cls(gone_at=killed_at, killed=killed_at < math.inf)
        for line in log.read_text().splitlines():
            at, what, number, tokens, nano_usd = line.split()
            if what == "granted":
                running[int(number)] = held = Held(float(at), int(tokens), int(nano_usd))
                worker.grants.append(held)
            elif what == "settled":
                held = running.pop(int(number))
                held.until, held.tokens, held.nano_usd, held.settled = float(at), int(tokens), int(nano_usd), True
            elif what == "stalled":
                lost_at.append(float(at))
        for held in worker.grants:
            held.until = min([held.until, *(moment for moment in lost_at if held.at <= moment)])
        return worker


def most_in_any_minute(workers: Iterable[Worker]) -> int:
    """Requests admitted in the fullest window."""
    moments = sorted(held.at for worker in workers for held in worker.grants)
    most, first = 0, 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - WINDOW_S:
            first += 1
        most = max(most, last - first + 1)
    return most


def most_at_a_time(workers: Iterable[Worker]) -> int:
    """Grants held at the fullest moment."""
    steps = [step for worker in workers for held in worker.grants for step in ((held.at, 1), (held.until, -1))]
    most = now = 0
    for _, step in sorted(steps):  # at one moment those that end go first
        now += step
        most = max(most, now)
    return most


def money(workers: Sequence[Worker]) -> tuple[int, int]:
    """The least and the most nano-USD that must be booked as spent: what killed workers had settled may be."""
    sure = sum(held.nano_usd for w in workers if not w.killed for held in w.grants if held.settled)
    unsure = sum(held.nano_usd for w in workers if w.killed for held in w.grants if held.settled)
    return sure, sure + unsure
