"""One configuration → one generation: the whole object graph, built from what is handed in."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from ..admission.key_file import load_keys
from ..admission.keys import KeyRing
from ..config.findings import meant
from ..config.load import Loaded
from ..errors import ConfigError, Problem
from ..execution.attempts import Attempts
from ..execution.generation import KEPT_DECISIONS, Generation
from ..execution.limiting import Limiting
from ..execution.settle import Settlement
from ..execution.standing import standings
from ..routing.categories import Categories
from ..routing.engine import policy_of
from ..routing.facts import NEEDS
from ..routing.targets import build_targets
from ..routing.turns import Turns
from ..routing.vocabulary import vocabulary_of
from ..signals.snapshot import Board
from ..upstream.wire import WIRES
from .owners import owners
from .surroundings import Surroundings


def build(
    loaded: Loaded,
    around: Surroundings,
    previous: Generation | None = None,
    *,
    draining: frozenset[str] = frozenset(),
) -> Generation:
    """The generation for ``loaded``; signals about targets that stay the same are taken over from ``previous``.
    Clusters that are ``draining`` are known, and get nothing new.

    Raises ``ConfigError`` for what shows only when the parts are put together (unreadable certificates, key files).
    """
    config = loaded.config
    targets = build_targets(config, around.prices)
    vocabulary = vocabulary_of(config, targets)
    board = Board(targets, around.clock)
    if previous is not None:
        board.adopt(previous.board)
    everybody = owners(config, around)
    for name, owner in everybody.items():
        if owner.fault is not None:
            board.post_owner(name, health="unhealthy")  # at once: not even the first request may go there
        if name in draining:
            board.post_owner(name, state="draining")
    router = config.router
    standing = standings(
        targets,
        board,
        router.failover.circuit_breaker,
        router.latency,
        around.clock,
        previous.standings if previous is not None else None,
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
    attempts = Attempts(
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
    )
    for target in targets:
        if target.list_price is not None:
            around.metrics.provider_cost(target.owner, target.model, target.list_price.output.usd_per_1k)
    return Generation(
        loaded=loaded,
        targets=targets,
        policy=policy_of(config, {name: wire.unsupported(NEEDS) for name, wire in WIRES.items()}),
        keys=keys,
        board=board,
        standings=standing,
        attempts=attempts,
        limiting=limiting,
        settlement=Settlement(board, around.ledger, around.metrics, around.clock),
        watches=tuple(owner.watch(board, config, around) for name, owner in everybody.items() if name not in draining),
        ledger=around.ledger,
        metrics=around.metrics,
        clock=around.clock,
        unix_time=around.unix_time,
        vocabulary=vocabulary,
        turns=previous.turns if previous is not None else Turns(),
        decisions=previous.decisions if previous is not None else deque(maxlen=KEPT_DECISIONS),
        categories=Categories(config.router.categories),
    )


def _keys(loaded: Loaded, known_tags: frozenset[str]) -> KeyRing | None:
    file = loaded.config.access.api_keys_file
    if file is None:
        return None
    path = Path(loaded.path).parent / file if loaded.path else Path(file)
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
