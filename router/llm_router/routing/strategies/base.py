"""What a strategy is: a pure ordering of the allowed targets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Protocol

from msgspec import Struct

from ...model import Facts, PoolView, View
from ..policy import Policy
from ..turns import Turn, first_turn


class Candidate(Struct, frozen=True, gc=False):
    """One allowed target with what this request would cost there, ``None`` for unknown, its prompt tokens as the target
    will count them, and the ``pool`` that it shares with the other targets of its cluster. Its state may be one in
    which it cannot answer yet (``ASLEEP``): a strategy puts it where it belongs, or leaves it out."""

    # gc=False: a decision makes as many as there are targets, and none is ever part of a cycle.

    view: View
    usd_per_1k_tokens: float | None = None
    estimated_usd: float | None = None
    input_tokens: int = 1
    pool: PoolView = PoolView()


ASLEEP = frozenset({"zero", "starting"})
"""The states of a pool that would answer if it were wanted, or will soon."""


Order = list[tuple[Candidate, str]]
"""Candidates, best first, each with the reason for its place."""


class Situation(Struct, frozen=True, kw_only=True):
    """What a strategy may know beside the candidates.

    ``clusters_down`` is true when no cluster is among the candidates, and one would be if it were up and healthy.
    ``route`` is the target that ``modelRoutes`` names for this request. ``turn`` says whose turn it is.
    """

    policy: Policy
    facts: Facts
    clusters_down: bool = False
    route: str | None = None
    turn: Turn = first_turn


class Strategy(Protocol):
    """Orders candidates, best first, each with a reason. The candidates come in the order of the configuration.

    Pure: no I/O, no clock, no randomness, and no memory but the turns that it is handed.
    """

    def __call__(self, candidates: Sequence[Candidate], situation: Situation) -> Order: ...


def split(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
    """``(clusters, providers)``."""
    clusters = [c for c in candidates if c.view.target.kind == "cluster"]
    return clusters, [c for c in candidates if c.view.target.kind == "provider"]


_DEAREST = float("inf")


def cheapest_request(candidate: Candidate) -> tuple[float, int, str]:
    """Sort key: predicted cost of this request, unknown last; ties by priority, then name."""
    usd, target = candidate.estimated_usd, candidate.view.target
    return _DEAREST if usd is None else usd, target.priority, target.name


def cheapest_capacity(candidate: Candidate) -> tuple[float, int, str]:
    """Sort key: USD per 1K tokens, unknown last; ties by priority, then name."""
    usd, target = candidate.usd_per_1k_tokens, candidate.view.target
    return _DEAREST if usd is None else usd, target.priority, target.name


def in_turn(candidates: Sequence[Candidate], weights: dict[str, int], turn: Turn, *, purpose: str) -> list[Candidate]:
    """The candidates with the owner whose turn it is first. An owner has one share, however many targets: their second
    and further ones follow when each owner had its first. ``weights`` is by owner, in the order of the candidates."""
    targets: dict[str, list[Candidate]] = {owner: [] for owner in turn(purpose, weights)}
    for candidate in candidates:
        targets[candidate.view.target.owner].append(candidate)
    rounds = zip_longest(*targets.values())
    return [candidate for candidate in chain.from_iterable(rounds) if candidate is not None]
