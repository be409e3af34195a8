"""From which load on a pool is cheaper than an API, at today's prices; and whether it ever is.

What a pool costs in an hour is rent, whether anybody asks or not; what an API costs is so much a request. With ``F``
the fixed cost and ``p`` the price of a node an hour, ``n`` nodes, ``E`` what a request costs outside and ``c`` what it
adds inside (nothing, unless the pool is priced by tokens), the pool wins from

    requests per hour = (F + n × p) / (E − c)

on, provided that its nodes can serve as many. A request keeps a node busy for

    input_tokens / prefill + output_tokens / (slots × decode)    seconds

and of a node's time only a share is usable, because requests do not come evenly. ``overheadFactor`` has no part in
this: it stands for fixed costs in decisions, and here they are counted themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from ..config.schema import Capacity, Cluster
from ..model import ListPrice, Target
from .fixed_costs import Fixed, fixed_cost

USABLE = 0.75
"""Share of a node's time that traffic which comes by chance can use before it waits too long."""
HOURS_PER_DAY = 24.0
SECONDS_PER_HOUR = 3600.0


class Traffic(Struct, frozen=True, kw_only=True):
    """Means over the requests that the pool could take; ``requests_per_day`` is the present load, if it is known."""

    input_tokens: float
    output_tokens: float
    requests_per_day: float | None = None


class Pool(Struct, frozen=True, kw_only=True):
    """What a pool costs and can do with this traffic. ``node_requests_per_hour`` is of one node at full speed,
    ``usable`` the share of it that counts; it is a guess at the low end while ``reading_known`` is false. ``None`` is
    unknown."""

    name: str
    node_usd_per_hour: float | None
    request_usd: float = 0.0
    fixed: Fixed
    least_nodes: int = 1
    most_nodes: int = 1
    node_requests_per_hour: float | None = None
    usable: float = USABLE
    reading_known: bool = True
    compliance: frozenset[str] = frozenset()

    def usd_per_hour(self, nodes: int) -> float | None:
        return None if self.node_usd_per_hour is None else self.fixed.usd_per_hour + nodes * self.node_usd_per_hour

    def most_requests_per_hour(self, nodes: int) -> float:
        """What so many nodes can serve; infinite where their speed is unknown."""
        speed = self.node_requests_per_hour
        return math.inf if speed is None else nodes * speed * self.usable


class External(Struct, frozen=True, kw_only=True):
    """What a request of this traffic costs at one target; ``None`` where its price is unknown."""

    target: str
    model: str
    request_usd: float | None
    compliance: frozenset[str] = frozenset()


class Point(Struct, frozen=True, kw_only=True):
    """The load from which on the pool is cheaper, with the fewest nodes that can serve it. ``tokens_per_second`` are
    generated ones, ``utilisation`` is the share of those nodes' full speed, ``None`` where that is unknown."""

    nodes: int
    requests_per_hour: float
    tokens_per_second: float
    utilisation: float | None

    @property
    def requests_per_day(self) -> float:
        return self.requests_per_hour * HOURS_PER_DAY


class Saving(Struct, frozen=True, kw_only=True):
    """What the pool saves at the present load, with the number of nodes that saves most; negative is a loss."""

    nodes: int
    usd_per_day: float


# ---------------------------------------------------------------- what is compared


def pool_of(cluster: Cluster, traffic: Traffic, usable: float = USABLE) -> Pool:
    """A cluster as the configuration states it."""
    by_token = cluster.cost_per_1k_tokens
    tokens = traffic.input_tokens + traffic.output_tokens
    return Pool(
        name=cluster.name,
        node_usd_per_hour=cluster.cost_per_hour if by_token is None else 0.0,
        request_usd=0.0 if by_token is None else by_token * tokens / 1000,
        fixed=fixed_cost(cluster),
        least_nodes=max(1, cluster.scaling.min_nodes),
        most_nodes=max(1, cluster.scaling.max_nodes),
        node_requests_per_hour=_node_requests_per_hour(cluster.capacity, traffic),
        usable=usable,
        reading_known=cluster.capacity.prefill_tokens_per_second is not None,
        compliance=frozenset(cluster.compliance),
    )


def external_of(target: Target, traffic: Traffic) -> External:
    price = target.list_price
    return External(
        target=target.name,
        model=target.model,
        request_usd=None if price is None else _request_usd(price, traffic),
        compliance=target.compliance,
    )


def _request_usd(price: ListPrice, traffic: Traffic) -> float:
    """Tiers by the mean prompt; nothing is taken to be cached."""
    paid = round(traffic.input_tokens)
    return (traffic.input_tokens * price.input.at(paid) + traffic.output_tokens * price.output.at(paid)) / 1000


def _node_requests_per_hour(capacity: Capacity, traffic: Traffic) -> float | None:
    """A node whose reading speed is unknown is taken to read as fast as it writes: a slow guess, so a dear one."""
    decode = (
        capacity.decode_tokens_per_second * (capacity.slots or 1)
        if capacity.decode_tokens_per_second
        else capacity.decode_tokens_per_second_single
    )
    if not decode:
        return None
    prefill = capacity.prefill_tokens_per_second or decode
    busy_s = traffic.input_tokens / prefill + traffic.output_tokens / decode
    return SECONDS_PER_HOUR / busy_s if busy_s > 0 else None


# ---------------------------------------------------------------- where it breaks even


def breakeven(pool: Pool, external: External, traffic: Traffic) -> Point | None:
    """``None`` where the pool never wins: its price or the other's is unknown, a request adds more inside than it costs
    outside, or all its nodes together cannot serve enough."""
    gain = _gain(pool, external)
    if gain is None or gain <= 0:
        return None
    for nodes in _enough_nodes(pool, gain):
        rent = pool.usd_per_hour(nodes)
        rate = math.inf if rent is None else rent / gain
        if math.isfinite(rate) and rate <= pool.most_requests_per_hour(nodes):
            speed = pool.node_requests_per_hour
            return Point(
                nodes=nodes,
                requests_per_hour=rate,
                tokens_per_second=rate * traffic.output_tokens / SECONDS_PER_HOUR,
                utilisation=None if speed is None else rate / (nodes * speed),
            )
    return None


def _enough_nodes(pool: Pool, gain: float) -> Iterator[int]:
    """About the fewest nodes that can serve the load which pays for them, those first that may be one too few: rounding
    decides. A node must earn more than its own rent when it is full; what remains pays the fixed cost."""
    earns = pool.most_requests_per_hour(1) * gain - (pool.node_usd_per_hour or 0.0)
    needed = math.ceil(pool.fixed.usd_per_hour / earns) if earns > 0 else 0
    most = max(pool.least_nodes, pool.most_nodes)
    return iter(sorted({min(max(nodes, pool.least_nodes), most) for nodes in (needed - 1, needed, needed + 1)}))


def saving(pool: Pool, external: External, requests_per_day: float) -> Saving | None:
    """What the pool saves against sending the same requests there; those that it cannot serve go there anyway. ``None``
    where a price is unknown."""
    gain, speed = _gain(pool, external), pool.most_requests_per_hour(1)
    if gain is None:
        return None
    asked = requests_per_day / HOURS_PER_DAY
    # A node more saves as much as the one before, as long as there is work for it: the best number is at an end.
    least, most = pool.least_nodes, max(pool.least_nodes, pool.most_nodes)
    busy = 0 if math.isinf(speed) else math.ceil(min(asked / speed, most))
    found: list[Saving] = []
    for nodes in sorted({least, min(max(busy - 1, least), most), min(max(busy, least), most)}):
        rent = pool.usd_per_hour(nodes)
        if rent is not None:
            served = min(asked, pool.most_requests_per_hour(nodes))
            found.append(Saving(nodes=nodes, usd_per_day=(served * gain - rent) * HOURS_PER_DAY))
    return max(found, key=lambda one: one.usd_per_day, default=None)


def node_price_to_win(pool: Pool, external: External) -> float | None:
    """USD per node-hour at and below which the pool, with all its nodes full, is cheaper. ``None`` where that is not
    known, or no price would do."""
    gain = _gain(pool, external)
    full = pool.most_requests_per_hour(pool.most_nodes)
    if gain is None or math.isinf(full):
        return None
    price = (full * gain - pool.fixed.usd_per_hour) / pool.most_nodes
    return price if price > 0 else None


def replacements(pool: Pool, externals: Iterable[External]) -> tuple[Sequence[External], frozenset[str]]:
    """The priced targets that may take all of the pool's requests, the cheapest first; where there is none, all that
    are priced, and the tags that they lack: for requests which need those there is nothing to compare with."""
    priced = sorted(
        (one for one in externals if one.request_usd is not None),
        key=lambda one: (one.request_usd or 0.0, one.target),
    )
    able = [one for one in priced if pool.compliance <= one.compliance]
    if able or not priced:
        return able, frozenset()
    return priced, pool.compliance - priced[0].compliance


def _gain(pool: Pool, external: External) -> float | None:
    """What one more request saves while the nodes run anyway."""
    return None if external.request_usd is None else external.request_usd - pool.request_usd
