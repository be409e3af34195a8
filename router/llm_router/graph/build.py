"""One configuration → one generation: the whole object graph, built from what is handed in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import structs

from ..admission.key_file import load_keys
from ..admission.keys import KeyRing
from ..admission.load import Load
from ..config.findings import meant
from ..config.load import Loaded
from ..config.schema import Config
from ..errors import ConfigError, Problem
from ..execution.attempts import Attempts
from ..execution.generation import KEPT_DECISIONS, Generation
from ..execution.learning import Learning
from ..execution.limiting import Limiting
from ..execution.meaning import Meaning
from ..execution.pool_load import pool_loads
from ..execution.settle import Settlement
from ..execution.standing import standings
from ..model import Target
from ..routing.categories import Categories
from ..routing.engine import policy_of
from ..routing.facts import NEEDS
from ..routing.policy import Policy
from ..routing.strategies.hybrid import BY_RENT
from ..routing.targets import build_targets, embedding_target
from ..routing.turns import Turns
from ..routing.vocabulary import vocabulary_of
from ..signals.pool import pool_of
from ..signals.rents import Rents
from ..signals.snapshot import Board
from ..telemetry.metrics import Metrics
from ..upstream.embeddings import Embedder
from ..upstream.wire import WIRES
from .owners import Owner, owners
from .surroundings import Surroundings


def build(
    loaded: Loaded,
    around: Surroundings,
    previous: Generation | None = None,
    *,
    draining: frozenset[str] = frozenset(),
    awaiting_clusters: bool = False,
) -> Generation:
    """The generation for ``loaded``; signals about targets that stay the same are taken over from ``previous``.
    Clusters that are ``draining`` are known, and get nothing new; more are expected while ``awaiting_clusters``.

    Raises ``ConfigError`` for what shows only when the parts are put together (unreadable certificates, key files).
    """
    config = loaded.config
    today = datetime.fromtimestamp(around.unix_time(), UTC)
    targets = build_targets(config, around.prices.on(today))
    vocabulary = vocabulary_of(config, targets)
    everybody = owners(config, around)
    board = _board(config, targets, previous, around)
    rents = _rents(config, everybody, draining, board, around)
    _set_aside(everybody, draining, board)
    router = config.router
    loads = pool_loads(targets, board, previous.loads if previous is not None else None)
    standing = standings(
        targets,
        board,
        router.failover.circuit_breaker,
        router.latency,
        around.clock,
        previous.standings if previous is not None else None,
        loads,
    )
    keys = _keys(loaded, vocabulary.known_tags)
    limiting = Limiting(
        config,
        keys or (),
        around.counters,
        board,
        around.metrics,
        clock=around.clock,
        unix_time=around.unix_time,
        previous=previous.limiting if previous is not None else None,
    )
    unsupported = {name: wire.unsupported(NEEDS) for name, wire in WIRES.items()}
    policy = policy_of(config, unsupported, awaiting_clusters=awaiting_clusters)
    _check_baseline(policy.baseline, targets)
    categories = Categories(router.categories)
    meaning = _meaning(config, categories, everybody, board, policy, limiting, around)
    if previous is not None:
        meaning.adopt(previous.meaning)
    learning = previous.learning if previous is not None else Learning(board, around.metrics)
    _show_prices(targets, around.metrics)
    return Generation(
        loaded=loaded,
        targets=targets,
        policy=policy,
        keys=keys,
        board=board,
        standings=standing,
        attempts=Attempts(
            senders={target.name: everybody[target.owner].sender(target, around) for target in targets},
            standings=standing,
            board=board,
            failover=router.failover,
            timeouts=router.timeouts,
            max_waiting=router.max_queue_depth,
            limiting=limiting,
            metrics=around.metrics,
            clock=around.clock,
            sleep=around.sleep,
        ),
        limiting=limiting,
        learning=learning,
        settlement=Settlement(board, around.ledger, around.metrics, learning, around.clock),
        loads=loads,
        rents=rents,
        watches=tuple(
            owner.watch(board, rents, config, around) for name, owner in everybody.items() if name not in draining
        ),
        ledger=around.ledger,
        journal=around.journal,
        metrics=around.metrics,
        load=previous.load if previous is not None else Load(),
        clock=around.clock,
        unix_time=around.unix_time,
        vocabulary=vocabulary,
        turns=previous.turns if previous is not None else Turns(),
        decisions=previous.decisions if previous is not None else deque(maxlen=KEPT_DECISIONS),
        categories=categories,
        meaning=meaning,
    )


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
    config: Config, everybody: Mapping[str, Owner], draining: frozenset[str], board: Board, around: Surroundings
) -> Rents:
    usable = [c for c in config.clusters if c.name not in draining and everybody[c.name].fault is None]
    by_rent = config.router.routing_strategy == BY_RENT
    return Rents(usable, board, around.metrics, around.clock, by_rent=by_rent)


def _set_aside(everybody: Mapping[str, Owner], draining: frozenset[str], board: Board) -> None:
    """At once: not even the first request may go to who is faulty or draining."""
    for name, owner in everybody.items():
        if owner.fault is not None:
            board.post_owner(name, health="unhealthy", state="up")
        if name in draining:
            board.post_owner(name, state="draining")


def _meaning(
    config: Config,
    categories: Categories,
    everybody: Mapping[str, Owner],
    board: Board,
    policy: Policy,
    limiting: Limiting,
    around: Surroundings,
) -> Meaning:
    target = embedding_target(config, around.prices)
    settings = config.router.embeddings
    return Meaning(
        categories,
        config.router.categories,
        None if target is None else Embedder(everybody[target.owner].sender(target, around)),
        board=board,
        policy=policy,
        limiting=limiting,
        metrics=around.metrics,
        clock=around.clock,
        timeout_s=0.0 if settings is None else settings.timeout,
    )


def _show_prices(targets: Iterable[Target], metrics: Metrics) -> None:
    for target in targets:
        if target.kind == "provider":
            price = target.list_price
            metrics.provider_cost(target.owner, target.model, None if price is None else price.output.usd_per_1k)


def _check_baseline(name: str | None, targets: Sequence[Target]) -> None:
    """A baseline without a price would compare nothing, silently."""
    for target in targets:
        if target.name == name and target.list_price is None:
            message = f"no list price is known for {name}: give the provider a price, or choose another baseline"
            raise ConfigError([Problem("router.cost.baseline", message)])


def _keys(loaded: Loaded, known_tags: frozenset[str]) -> KeyRing | None:
    path = loaded.api_keys_file
    if path is None:
        return None
    keys = load_keys(path)
    if loaded.config.discovery.method == "static":
        problems = [
            Problem(f"keys[{i}].tags", f"no target has the tag {tag!r}{meant(tag, sorted(known_tags))}", file=str(path))
            for i, key in enumerate(keys)
            for tag in sorted(key.tags - known_tags)
        ]
        if problems:
            raise ConfigError(problems)
    return KeyRing(keys)
