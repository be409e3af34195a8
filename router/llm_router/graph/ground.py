"""What a configuration leads to: its targets, who owns them, and what is known and kept of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec import structs

from ..config.schema import Config
from ..execution.generation import Generation
from ..execution.pool_load import PoolLoad, pool_loads
from ..execution.standing import Standing, standings
from ..model import Target
from ..routing.strategies.hybrid import BY_RENT
from ..routing.targets import build_targets
from ..signals.pool import pool_of
from ..signals.rents import Rents
from ..signals.snapshot import Board
from ..signals.watch import Watch
from .owners import Owner, owners_of
from .surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Ground:
    """``owners`` and ``loads`` are by the owner's name, ``standings`` by the target's."""

    targets: tuple[Target, ...]
    owners: Mapping[str, Owner]
    board: Board
    rents: Rents
    loads: Mapping[str, PoolLoad]
    standings: Mapping[str, Standing]

    def watches(self, config: Config, around: Surroundings, draining: frozenset[str]) -> tuple[Watch, ...]:
        return tuple(
            owner.watch(self.board, self.rents, config, around)
            for name, owner in self.owners.items()
            if name not in draining
        )


def ground_of(config: Config, around: Surroundings, previous: Generation | None, draining: frozenset[str]) -> Ground:
    """Raises ``ConfigError``, as ``build`` does."""
    today = datetime.fromtimestamp(around.unix_time(), UTC)
    targets = build_targets(config, around.prices.on(today))
    owners = owners_of(config, around)
    board = _board(config, targets, previous, around)
    rents = _rents(config, owners, draining, board, around)
    _set_aside(owners, draining, board)
    loads = pool_loads(targets, board, previous.loads if previous is not None else None)
    kept = standings(
        targets,
        board,
        config.router.failover.circuit_breaker,
        config.router.latency,
        around.clock,
        previous.standings if previous is not None else None,
        loads,
    )
    return Ground(targets, owners, board, rents, loads, kept)


def _board(config: Config, targets: Sequence[Target], previous: Generation | None, around: Surroundings) -> Board:
    """What the configuration says of the targets until they are seen, and what is known of those that stay."""
    board = Board(targets, around.clock)
    for cluster in config.clusters:
        board.post_pool(cluster.name, **structs.asdict(pool_of(cluster)))
        if cluster.scaling.min_nodes == 0:
            board.post_owner(cluster.name, state="zero")
    if previous is not None:
        board.adopt(previous.board)
    return board


def _rents(
    config: Config, owners: Mapping[str, Owner], draining: frozenset[str], board: Board, around: Surroundings
) -> Rents:
    usable = [c for c in config.clusters if c.name not in draining and owners[c.name].fault is None]
    by_rent = config.router.routing_strategy == BY_RENT
    return Rents(usable, board, around.metrics, around.clock, by_rent=by_rent)


def _set_aside(owners: Mapping[str, Owner], draining: frozenset[str], board: Board) -> None:
    """At once: not even the first request may go to who is faulty or draining."""
    for name, owner in owners.items():
        if owner.fault is not None:
            board.post_owner(name, health="unhealthy", state="up")
        if name in draining:
            board.post_owner(name, state="draining")
