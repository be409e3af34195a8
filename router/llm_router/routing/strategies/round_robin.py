"""``round_robin``: the clusters and providers that may answer take turns, in the order of the configuration."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Candidate, Order, Situation, in_turn


def round_robin(candidates: Sequence[Candidate], situation: Situation) -> Order:
    equal = {c.view.target.owner: 1 for c in candidates}
    return [(c, "round_robin") for c in in_turn(candidates, equal, situation.turn, purpose="round_robin")]
