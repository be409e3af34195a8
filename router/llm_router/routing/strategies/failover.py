"""``failover``: always in the order of the configuration, clusters before providers; whoever is down is skipped."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Candidate, Order, Situation


def failover(candidates: Sequence[Candidate], situation: Situation) -> Order:
    return [(c, "failover") for c in candidates]
