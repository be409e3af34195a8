"""One configuration → one generation: the whole object graph, built from what is handed in."""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .admission.key_file import load_keys
from .admission.keys import KeyRing
from .config.base_url import base_url, health_url, root_url
from .config.findings import meant
from .config.load import Loaded
from .config.providers import PROVIDER_TYPES
from .config.schema import Cluster, Config, Provider
from .errors import ConfigError, Problem
from .execution.attempts import Attempts
from .execution.generation import KEPT_DECISIONS, Generation
from .execution.settle import Settlement
from .execution.standing import standings
from .model import Target
from .pricing.ledger import Ledger
from .pricing.list_prices import PriceBook
from .routing.categories import Categories
from .routing.engine import policy_of
from .routing.facts import NEEDS
from .routing.targets import build_targets
from .routing.turns import Turns
from .routing.vocabulary import vocabulary_of
from .signals.cluster_status import StatusPoll
from .signals.health import HealthCheck, NeverHealthy, control_plane_client
from .signals.snapshot import Board
from .signals.watch import ClusterWatch, ProviderWatch, Watch
from .telemetry.metrics import Metrics
from .upstream.client import Client, Headers
from .upstream.sender import Sender
from .upstream.signing import Signer, authority_of
from .upstream.wire import WIRES
from .upstream.wire.base import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What outlives a configuration: the client, trust, prices, the ledger, metrics and clocks. ``tls`` is the context
    for whoever has none of his own; ``sleep`` waits between repeats."""

    client: Client
    tls: ssl.SSLContext
    prices: PriceBook
    ledger: Ledger
    metrics: Metrics
    sleep: Callable[[float], Awaitable[None]]
    clock: Callable[[], float] = time.monotonic
    unix_time: Callable[[], float] = time.time


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
    owners = _owners(config, around)
    for name, owner in owners.items():
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
    attempts = Attempts(
        senders={target.name: owners[target.owner].sender(target, around) for target in targets},
        standings=standing,
        board=board,
        failover=router.failover,
        timeouts=router.timeouts,
        max_waiting=router.max_queue_depth,
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
        keys=_keys(loaded, vocabulary.known_tags),
        board=board,
        standings=standing,
        attempts=attempts,
        settlement=Settlement(board, around.ledger, around.metrics, around.clock),
        watches=tuple(owner.watch(board, config, around) for name, owner in owners.items() if name not in draining),
        ledger=around.ledger,
        metrics=around.metrics,
        clock=around.clock,
        unix_time=around.unix_time,
        vocabulary=vocabulary,
        turns=previous.turns if previous is not None else Turns(),
        decisions=previous.decisions if previous is not None else deque(maxlen=KEPT_DECISIONS),
        categories=Categories(config.router.categories),
    )


# ---------------------------------------------------------------- owners: clusters and providers as the graph sees them


@dataclass(frozen=True, slots=True)
class _ClusterOwner:
    cluster: Cluster
    tls: ssl.SSLContext | None
    signer: Signer | None
    fault: str | None
    """Why this cluster cannot be signed for: it stands in the configuration, and is never used."""

    def sender(self, target: Target, around: Surroundings) -> Sender:
        return Sender(
            target=target,
            wire=WIRES[target.wire],
            base_url=base_url(self.cluster),
            client=around.client,
            unix_time=around.unix_time,
            credentials=self._credentials(WIRES["llama.cpp"]),
            signer=self.signer,
            tls=self.tls or around.tls,
        )

    def watch(self, board: Board, config: Config, around: Surroundings) -> Watch:
        source: StatusPoll | HealthCheck | NeverHealthy
        if self.fault is not None:
            source = NeverHealthy(self.fault, around.unix_time)
        elif self.signer is not None:
            source = StatusPoll(
                endpoint=self.cluster.endpoint,
                signer=self.signer,
                client=control_plane_client(self.tls or around.tls),
                unix_time=around.unix_time,
            )
        else:
            source = HealthCheck(
                url=_health_url(self.cluster),
                headers=self._credentials(WIRES["llama.cpp"]),
                timeout_s=5.0,
                client=control_plane_client(self.tls or around.tls),
                unix_time=around.unix_time,
            )
        return ClusterWatch(
            self.cluster,
            source,
            board,
            around.metrics,
            cost=config.router.cost,
            interval_s=config.router.health_check_interval,
            clock=around.clock,
            unix_time=around.unix_time,
        )

    def _credentials(self, wire: Wire) -> Headers:
        key = self.cluster.api_key or self.cluster.shared_secret
        if self.cluster.auth_type in ("none", "hmac") or key is None:
            return ()
        return (("x-api-key", str(key)),) if self.cluster.auth_type == "apiKey" else wire.credentials(str(key))


@dataclass(frozen=True, slots=True)
class _ProviderOwner:
    provider: Provider
    fault: None = None

    def sender(self, target: Target, around: Surroundings) -> Sender:
        return Sender(
            target=target,
            wire=WIRES[target.wire],
            base_url=base_url(self.provider),
            client=around.client,
            unix_time=around.unix_time,
            credentials=self._headers(WIRES[target.wire]),
            tls=around.tls,
        )

    def watch(self, board: Board, config: Config, around: Surroundings) -> Watch:
        settings = self.provider.health_check
        check = None
        if settings.enabled:
            kind = PROVIDER_TYPES[self.provider.type]
            check = HealthCheck(
                url=health_url(self.provider),
                headers=self._headers(WIRES[kind.wire]) + kind.health_headers,
                timeout_s=settings.timeout,
                client=control_plane_client(around.tls),
                unix_time=around.unix_time,
            )
        return ProviderWatch(self.provider, check, board, around.metrics, config.router.health_check_interval)

    def _headers(self, wire: Wire) -> Headers:
        key = self.provider.api_key
        headers = list(wire.credentials(str(key))) if key else []
        if self.provider.organization:
            headers.append(("openai-organization", self.provider.organization))
        if self.provider.project:
            headers.append(("openai-project", self.provider.project))
        return (*headers, *((name.lower(), value) for name, value in self.provider.headers.items()))


def _owners(config: Config, around: Surroundings) -> Mapping[str, _ClusterOwner | _ProviderOwner]:
    owners: dict[str, _ClusterOwner | _ProviderOwner] = {}
    for cluster in config.clusters:
        signer, fault = _signer(cluster)
        owners[cluster.name] = _ClusterOwner(cluster, _tls(cluster), signer, fault)
    for provider in config.external_providers:
        if provider.enabled:
            owners[provider.name] = _ProviderOwner(provider)
    return owners


def _health_url(cluster: Cluster) -> str:
    """llama.cpp and vLLM answer at ``/health``; whoever else speaks OpenAI's API has a list of models."""
    return base_url(cluster) + "/models" if cluster.type == "openai" else root_url(cluster) + "/health"


def _signer(cluster: Cluster) -> tuple[Signer | None, str | None]:
    """The signer, or why there can be none: a placeholder for a secret is a warning on loopback, not a refusal."""
    if cluster.auth_type != "hmac":
        return None, None
    key_id = cluster.key_id or f"{cluster.name}.1"
    try:
        return Signer(key_id, str(cluster.shared_secret or ""), authority_of(cluster.endpoint), cluster.name), None
    except ValueError as exc:
        return None, f"sharedSecret {exc}"


def _tls(cluster: Cluster) -> ssl.SSLContext | None:
    if cluster.tls is None:
        return None
    try:
        context = ssl.create_default_context(cafile=cluster.tls.ca_file)
        if cluster.tls.cert_file is not None:
            context.load_cert_chain(cluster.tls.cert_file, cluster.tls.key_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError([Problem(f"clusters.{cluster.name}.tls", f"cannot load the certificates: {exc}")]) from exc
    return context


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
