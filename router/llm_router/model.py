"""The router's vocabulary as frozen values: no I/O, no clock, no behaviour beyond arithmetic on themselves.

One word, one thing: a *target* is one routable (cluster or provider, model) pair, a *signal* one measured input,
a *snapshot* the frozen view of all signals that a decision reads, a *decision* the ordered targets with the
rejected ones and the reasons. Money is USD, tokens are counted singly, times end in ``_s`` or ``_ms``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

Kind = Literal["cluster", "provider"]
WireName = Literal["openai", "llama.cpp", "anthropic", "gemini"]
State = Literal["up", "starting", "zero", "draining", "down"]
Health = Literal["healthy", "unhealthy", "unknown"]
Basis = Literal["capacity", "realised", "marginal"]
Finish = Literal["stop", "length", "tool_calls", "content_filter"]
LimitUnit = Literal["requests", "tokens", "slots", "nano_usd"]

# ---------------------------------------------------------------- money and tokens


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens of one answer in the form that all wire formats are brought to.

    The whole input is ``input_tokens + cache_read_tokens + cache_write_tokens``; ``cache_write_1h_tokens`` are the
    part of the latter that is kept for an hour, ``reasoning_tokens`` a part of ``output_tokens``. ``estimated``
    marks figures that the router counted because the upstream gave none.
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False

    @property
    def all_input_tokens(self) -> int:
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def all_tokens(self) -> int:
        return self.all_input_tokens + self.output_tokens


class Rate(Struct, frozen=True):
    """USD per 1K tokens of one kind. ``tiers`` holds ``(input tokens above which, USD per 1K)``, ascending; the whole
    request is charged at the highest tier that its input exceeds."""

    usd_per_1k: float
    tiers: tuple[tuple[int, float], ...] = ()

    def at(self, all_input_tokens: int) -> float:
        usd = self.usd_per_1k
        if not self.tiers:
            return usd
        for above, tier_usd in self.tiers:
            if all_input_tokens > above:
                usd = tier_usd
        return usd


class ListPrice(Struct, frozen=True, kw_only=True):
    """What a provider lists for one model. ``source`` says where from, ``as_of`` is an ISO date. Where it lists no rate
    of its own for what is cached for an hour, that is ``cache_write``."""

    input: Rate
    output: Rate
    cache_read: Rate
    cache_write: Rate
    cache_write_1h: Rate | None = None
    source: str
    as_of: str = ""


class ClusterCost(Struct, frozen=True, kw_only=True):
    """USD per 1K generated tokens of one pool in the three bases, side by side, never mixed.

    ``None`` is unknown, never free. ``decision`` is the capacity figure after hysteresis: the one decisions compare and
    the ledger charges.
    ``input_ratio`` is what a prompt token costs as a share of a generated one (decode speed over prefill speed).
    ``by_token`` means that these tokens are paid for one by one, whatever nodes there are. ``start_usd`` is what one
    more node costs before it has earned anything: USD for its cold start and its idle tail.
    """

    capacity: float | None = None
    realised: float | None = None
    marginal: float | None = None
    decision: float | None = None
    input_ratio: float = 1.0
    by_token: bool = False
    start_usd: float | None = None
    measured: bool = False
    node_usd_per_hour: float | None = None
    price_source: str = ""
    price_age_s: float | None = None
    stale: bool = False


# ---------------------------------------------------------------- targets and what is known of them


class Target(Struct, frozen=True, kw_only=True):
    """One routable (cluster or provider, model) pair, as the configuration states it.

    ``name`` is the owner's name where the owner serves one model, else ``owner/model``. ``aliases`` are further model
    names that it answers for (``modelMapping``); ``any_model`` means that its owner declares no models and accepts
    every name. ``always_on`` is false for pools that may scale to zero;
    ``cold_start_s`` is how long they then take to return.
    """

    name: str
    kind: Kind
    owner: str
    model: str
    wire: WireName = "openai"
    any_model: bool = False
    aliases: frozenset[str] = frozenset()
    region: str = ""
    cloud: str = ""
    compliance: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    context_length: int | None = None
    priority: int = 1
    weight: int = 1
    always_on: bool = True
    cold_start_s: float = 0.0
    list_price: ListPrice | None = None
    prefill_tokens_per_second: float | None = None


class Limited(Struct, frozen=True):
    """A limit that had no room, ``text`` says which: ``amount`` and more need not be tried before ``until``, and fit at
    ``free_at`` if nothing comes free before (both monotonic)."""

    text: str
    unit: LimitUnit
    amount: int
    until: float
    free_at: float


class Expected(Struct, frozen=True, kw_only=True):
    """What answers have taught about the tokens of a target.

    A prompt that is estimated at n tokens counts as ``input_more + input_each × n``. ``output_tokens`` is the length of
    an answer by ``(API key, bucket of complexity)``, where ``None`` stands for all keys or buckets; what is not there
    has not been learnt.
    """

    input_each: float = 1.0
    input_more: float = 0.0
    output_tokens: Mapping[tuple[str | None, int | None], int] = {}


class View(Struct, frozen=True, kw_only=True):
    """All signals about one target at one moment. Times are monotonic seconds of the router's clock.

    ``p95_latency_ms`` is the configured percentile of the time to the first content, ``p95_total_ms`` that of the time
    to the end of the answer, both over the configured window; they hold until ``latency_until``, when the newest
    sample leaves it. ``back_at`` is when it was last seen to be back after it was away or broken, ``failed_at`` when an
    attempt last failed, ``probed_at`` when one was last sent although its breaker was not closed. ``window`` is the
    context of one request where a cluster's servers said that it is less than the target's, ``None`` elsewhere.
    """

    target: Target
    state: State = "up"
    health: Health = "unknown"
    retry_at: float = 0.0
    retry_reason: str = ""
    probing: bool = False
    limited: tuple[Limited, ...] = ()
    back_at: float = float("-inf")
    failed_at: float = float("-inf")
    probed_at: float = float("-inf")
    p95_latency_ms: float | None = None
    p95_total_ms: float | None = None
    first_token_ms: float | None = None
    latency_until: float = float("inf")
    queue_depth: int = 0
    pending: int = 0
    cost: ClusterCost | None = None
    expected: Expected = Expected()
    window: int | None = None


class PoolView(Struct, frozen=True, kw_only=True):
    """What the targets of one cluster share: its nodes, and what the router itself has under way on them.

    ``nodes`` run now, ``wanted`` are those that the router wants to pay for (``None``: all that run); ``slots`` and
    ``in_flight`` are of the whole pool. ``unread_tokens`` are the prompts of attempts whose first content has not
    come, ``decoding`` how many attempts are past it. ``prefill_tokens_per_second`` is of one node.
    """

    nodes: int = 1
    wanted: int | None = None
    slots: int | None = None
    prefill_tokens_per_second: float | None = None
    in_flight: int = 0
    unread_tokens: int = 0
    decoding: int = 0

    @property
    def usable_nodes(self) -> int:
        return self.nodes if self.wanted is None else min(self.nodes, self.wanted)


class Snapshot(Struct, frozen=True):
    """What one decision reads: every target's view, in configuration order, the moment it is valid for, and the pools
    by the name of their cluster."""

    views: tuple[View, ...]
    now: float
    pools: Mapping[str, PoolView] = {}


# ---------------------------------------------------------------- requests and decisions


class Requirements(Struct, frozen=True, kw_only=True):
    """Hard constraints of one request: a target that breaks one is never used. Every field only tightens. ``priced``
    rules out what has no known cost: somebody has a budget to keep."""

    compliance: frozenset[str] = frozenset()
    region: str | None = None
    max_latency_ms: int | None = None
    max_usd_per_1k_tokens: float | None = None
    priced: bool = False
    exact_model: bool = False
    target: str | None = None
    allowed_models: frozenset[str] | None = None
    allowed_targets: frozenset[str] | None = None


class Facts(Struct, frozen=True, kw_only=True):
    """What a request is: everything that a decision may depend on, and nothing of its text.

    ``needs`` names features that change the meaning of the answer (``tools``, ``vision``, ``json_schema``, ``n``,
    ``logprobs``). Token counts are estimates made before sending, the same for every target; what is learnt about each
    of them is in its view. ``expected_output_tokens`` are those of one of the ``answers`` that are asked for;
    ``longest_answer`` is the operator's bound on them where the caller states none (``max_tokens``). ``key`` names the
    caller's API key. ``client_region`` is what a trusted proxy says of the caller; ``headers`` are those request
    headers, names in lower case, that a rule names. ``categories`` are the configured kinds of prompt that it belongs
    to.
    """

    model: str
    stream: bool = False
    input_tokens: int = 1
    max_tokens: int | None = None
    longest_answer: int | None = None
    expected_output_tokens: int = 150
    answers: int = 1
    complexity: float = 0.0
    categories: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    requirements: Requirements = Requirements()
    strategy: str | None = None
    session: str | None = None
    key: str | None = None
    client_region: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Choice(Struct, frozen=True, kw_only=True, gc=False):
    """One allowed target in the order of a decision. ``None`` costs are unknown."""

    target: Target
    reason: str
    usd_per_1k_tokens: float | None
    estimated_usd: float | None
    #: Tokens of one request: what its servers say, or None where they do not.
    window: int | None = None


class Rejection(Struct, frozen=True):
    """A target that this request must not or cannot use. ``code`` is stable, ``detail`` is for people."""

    target: str
    code: str
    detail: str

    @property
    def reason(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code


class Demand(Struct, frozen=True, kw_only=True):
    """What one decision says about the pools: who should run, and what that would have been worth.

    ``value_usd`` is what the request costs at the cheapest API that may answer it, infinite where none may; its first
    token is wanted within ``limit_s`` seconds. ``chosen`` is the pool that answers, on its ``nodes_needed``-th node if
    the others are kept busy first; ``spilled`` means that no pool had room for it, ``able`` which pools could have
    taken it with a node more. ``called`` is a pool that does not run and is to answer next time whatever it costs,
    because a rule or the strategy puts it first.
    """

    value_usd: float
    input_tokens: int
    output_tokens: int
    limit_s: float = float("inf")
    chosen: str | None = None
    nodes_needed: int = 1
    spilled: bool = False
    able: tuple[str, ...] = ()
    called: str | None = None


class Decision(Struct, frozen=True, kw_only=True):
    """The ordered targets, the rejected ones with reasons, and the estimates. ``baseline`` is the cheapest external
    target that satisfies the requirements: what savings are measured against, ``None`` if there is none. ``demand`` is
    there where the router has a say in how many nodes a pool has. A ``buffered`` answer is streamed only once it is
    complete; for a ``hedged`` one the second choice is asked too where the first is slow."""

    strategy: str
    rule: str | None
    facts: Facts
    choices: tuple[Choice, ...]
    rejected: tuple[Rejection, ...]
    baseline: Target | None = None
    demand: Demand | None = None
    buffered: bool = False
    hedged: bool = False


# ---------------------------------------------------------------- what a pool says of itself


class ServedModel(Struct, frozen=True):
    name: str
    context_length: int | None = None


class TokensPerSecond(Struct, frozen=True, kw_only=True):
    """Generated tokens per second of a whole pool: ``capacity`` when busy (last measured, kept while idle),
    ``realised`` over the whole window. ``prefill`` is the speed of reading prompts."""

    capacity: float | None = None
    realised: float | None = None
    prefill: float | None = None


class PoolCost(Struct, frozen=True, kw_only=True):
    capacity: float | None = None
    realised: float | None = None
    marginal: float | None = None


class ClusterStatus(Struct, frozen=True, kw_only=True):
    """The body of ``GET /cluster/status``: what gate and exporter tell the router. ``measured_at`` is a Unix time."""

    target: str
    state: State
    models: tuple[ServedModel, ...] = ()
    nodes: int = 1
    node_usd_per_hour: float | None = None
    price_source: str | None = None
    price_age_s: float | None = None
    slots_total: int = 0
    slots_busy: int = 0
    queue_depth: int = 0
    tokens_per_second: TokensPerSecond = field(default_factory=TokensPerSecond)
    usd_per_1k_tokens: PoolCost = field(default_factory=PoolCost)
    measured_at: float = 0.0
