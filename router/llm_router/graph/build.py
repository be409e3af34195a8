"""One configuration → one generation: the whole object graph, built from what is handed in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

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
from ..execution.lifetime import Lifetime
from ..execution.limiting import Limiting
from ..execution.meaning import Meaning
from ..execution.settle import Settlement
from ..model import Target
from ..routing.categories import Categories
from ..routing.engine import policy_of
from ..routing.facts import NEEDS
from ..routing.policy import Policy
from ..routing.targets import embedding_target
from ..routing.turns import Turns
from ..routing.vocabulary import vocabulary_of
from ..telemetry.metrics import Metrics
from ..upstream.embeddings import Embedder
from ..upstream.wire import WIRES
from .ground import Ground, ground_of
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
    ground = ground_of(config, around, previous, draining)
    vocabulary = vocabulary_of(config, ground.targets)
    keys = _keys(loaded, vocabulary.known_tags)
    limiting = _limiting(config, keys, ground, around, previous)
    policy = _policy(config, ground, awaiting_clusters=awaiting_clusters)
    categories = Categories(config.router.categories)
    learning = previous.learning if previous is not None else Learning(ground.board, around.metrics)
    _show_prices(ground.targets, around.metrics)
    return Generation(
        loaded=loaded,
        targets=ground.targets,
        policy=policy,
        keys=keys,
        board=ground.board,
        standings=ground.standings,
        attempts=_attempts(config, ground, limiting, around),
        limiting=limiting,
        learning=learning,
        settlement=Settlement(ground.board, around.ledger, around.metrics, learning, around.clock),
        loads=ground.loads,
        rents=ground.rents,
        watches=ground.watches(config, around, draining),
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
        meaning=_meaning(config, categories, ground, policy, limiting, around, previous),
    )


def _limiting(
    config: Config, keys: KeyRing | None, ground: Ground, around: Surroundings, previous: Generation | None
) -> Limiting:
    return Limiting(
        config,
        keys or (),
        around.counters,
        ground.board,
        around.metrics,
        clock=around.clock,
        unix_time=around.unix_time,
        previous=previous.limiting if previous is not None else None,
    )


def _policy(config: Config, ground: Ground, *, awaiting_clusters: bool) -> Policy:
    unsupported = {name: wire.unsupported(NEEDS) for name, wire in WIRES.items()}
    policy = policy_of(config, unsupported, awaiting_clusters=awaiting_clusters)
    _check_baseline(policy.baseline, ground.targets)
    return policy


def _attempts(config: Config, ground: Ground, limiting: Limiting, around: Surroundings) -> Attempts:
    return Attempts(
        lifetime=Lifetime(
            senders={target.name: ground.owners[target.owner].sender(target, around) for target in ground.targets},
            standings=ground.standings,
            board=ground.board,
            timeouts=config.router.timeouts,
            max_waiting=config.router.max_queue_depth,
            limiting=limiting,
            clock=around.clock,
        ),
        board=ground.board,
        failover=config.router.failover,
        metrics=around.metrics,
        clock=around.clock,
        sleep=around.sleep,
    )


def _meaning(
    config: Config,
    categories: Categories,
    ground: Ground,
    policy: Policy,
    limiting: Limiting,
    around: Surroundings,
    previous: Generation | None,
) -> Meaning:
    target = embedding_target(config, around.prices)
    settings = config.router.embeddings
    meaning = Meaning(
        categories,
        config.router.categories,
        None if target is None else Embedder(ground.owners[target.owner].sender(target, around)),
        board=ground.board,
        policy=policy,
        limiting=limiting,
        metrics=around.metrics,
        clock=around.clock,
        timeout_s=0.0 if settings is None else settings.timeout,
    )
    if previous is not None:
        meaning.adopt(previous.meaning)
    return meaning


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
