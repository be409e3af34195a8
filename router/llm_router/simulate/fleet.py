"""What a configuration says about pools and providers, as the figures that the queue model reckons with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from ..config.schema import Cluster, Config, Provider
from ..errors import ConfigError, Problem
from ..model import Target
from ..pricing.list_prices import PriceBook
from ..routing.targets import build_targets

SECONDS_PER_HOUR = 3600.0


class NodeSpeed(Struct, frozen=True, kw_only=True):
    """How fast a node is. A decode step of n sequences takes ``step_s + n × step_s_per_sequence`` and gives each of
    them one token."""

    slots: int
    prefill_tokens_per_second: float
    step_s: float
    step_s_per_sequence: float

    def step_of(self, sequences: int) -> float:
        return self.step_s + self.step_s_per_sequence * sequences

    def reading_s(self, input_tokens: int) -> float:
        """The least time in which a node reads a prompt."""
        return input_tokens / self.prefill_tokens_per_second

    def work_s(self, input_tokens: int, output_tokens: int) -> float:
        """The least time of a whole node that a request takes: its prompt, and its share of full steps."""
        return self.reading_s(input_tokens) + (output_tokens - 1) * self.step_of(self.slots) / self.slots


class PoolSpec(Struct, frozen=True, kw_only=True):
    """One pool: what a node does, what it costs from the request to start it to its end, and how many there may be."""

    name: str
    speed: NodeSpeed
    usd_per_second: float
    min_nodes: int
    max_nodes: int
    cold_start_s: float
    idle_timeout_s: float


class External(Struct, frozen=True, kw_only=True):
    """How a provider answers: always, and always equally fast."""

    name: str
    first_token_s: float
    tokens_per_second: float


class Fleet(Struct, frozen=True, kw_only=True):
    """``pools`` and ``externals`` are by owner; every target belongs to one of them."""

    targets: tuple[Target, ...]
    pools: Mapping[str, PoolSpec]
    externals: Mapping[str, External]


def fleet_of(config: Config, prices: PriceBook, file: str = "") -> Fleet:
    """Raises ``ConfigError`` that names each key without which nothing can be simulated."""
    targets = build_targets(config, prices)
    enabled = [provider for provider in config.external_providers if provider.enabled]
    problems = [
        *(p for i, cluster in enumerate(config.clusters) for p in _cluster_problems(i, cluster)),
        *(
            problem
            for i, provider in enumerate(config.external_providers)
            for problem in _latency_problems(i, provider)
        ),
        *_price_problems(targets),
    ]
    if not targets:
        problems.append(Problem("", "there is neither a cluster nor an enabled provider to simulate"))
    if problems:
        raise ConfigError([Problem(p.path, p.message, file=file) for p in problems])
    return Fleet(
        targets=targets,
        pools={cluster.name: _pool(cluster) for cluster in config.clusters},
        externals={provider.name: _external(provider) for provider in enabled},
    )


def _pool(cluster: Cluster) -> PoolSpec:
    scaling = cluster.scaling
    return PoolSpec(
        name=cluster.name,
        speed=_speed(cluster),
        usd_per_second=(cluster.cost_per_hour or 0.0) / SECONDS_PER_HOUR,
        min_nodes=scaling.min_nodes,
        max_nodes=scaling.max_nodes,
        cold_start_s=scaling.cold_start,
        idle_timeout_s=scaling.idle_timeout,
    )


def _speed(cluster: Cluster) -> NodeSpeed:
    """The line through the two speeds that are stated: one sequence alone, and all slots busy."""
    capacity = cluster.capacity
    slots, busy = capacity.slots or 1, capacity.decode_tokens_per_second or 1.0
    single = capacity.decode_tokens_per_second_single or busy
    each = (1 / busy - 1 / single) / (slots - 1) if slots > 1 else 0.0
    return NodeSpeed(
        slots=slots,
        prefill_tokens_per_second=capacity.prefill_tokens_per_second or 1.0,
        step_s=1 / busy - each * slots,
        step_s_per_sequence=each,
    )


def _external(provider: Provider) -> External:
    latency = provider.latency
    first = latency.time_to_first_token if latency else None
    speed = latency.tokens_per_second if latency else None
    return External(name=provider.name, first_token_s=first or 0.0, tokens_per_second=speed or 1.0)


# ---------------------------------------------------------------- what a configuration lacks


def _cluster_problems(index: int, cluster: Cluster) -> Iterator[Problem]:
    path, capacity = f"clusters[{index}]", cluster.capacity
    needed = {
        "costPerHour": cluster.cost_per_hour,
        "capacity.slots": capacity.slots,
        "capacity.prefillTokensPerSecond": capacity.prefill_tokens_per_second,
        "capacity.decodeTokensPerSecond": capacity.decode_tokens_per_second,
    }
    missing = [key for key, value in needed.items() if value is None]
    for key in missing:
        yield Problem(f"{path}.{key}", f"missing: a simulation of {cluster.name} needs it")
    if missing or capacity.decode_tokens_per_second_single is None:
        return
    slots, busy = capacity.slots or 1, capacity.decode_tokens_per_second or 1.0
    single = capacity.decode_tokens_per_second_single
    key = f"{path}.capacity.decodeTokensPerSecondSingle"
    if single < busy:
        yield Problem(key, f"{single:g} is below decodeTokensPerSecond: alone a request is not slower")
    elif single > busy * slots:
        yield Problem(key, f"{single:g} is more than all {slots} slots together: batching does not slow a node")


def _latency_problems(index: int, provider: Provider) -> Iterator[Problem]:
    if not provider.enabled:
        return
    latency = provider.latency
    for key, value in (
        ("timeToFirstToken", latency and latency.time_to_first_token),
        ("tokensPerSecond", latency and latency.tokens_per_second),
    ):
        if value is None:
            path = f"externalProviders[{index}].latency.{key}"
            yield Problem(path, f"missing: a simulation of {provider.name} needs it")


def _price_problems(targets: Sequence[Target]) -> Iterator[Problem]:
    for target in targets:
        if target.kind == "provider" and target.list_price is None:
            path = f"externalProviders[{target.owner}].price"
            yield Problem(path, f"missing: the price data does not know {target.model}, so nobody knows what it costs")
