"""``priority``: by the priority that the configuration gives, lower numbers first; ties by name."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Candidate, Order, Situation


def priority(candidates: Sequence[Candidate], situation: Situation) -> Order:
    return [(c, "priority") for c in sorted(candidates, key=_rank)]


def _rank(candidate: Candidate) -> tuple[int, str]:
    target = candidate.view.target
    return target.priority, target.name
