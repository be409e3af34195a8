"""One pool's account: what its next node would have earned, and what its last one has lost.

Both are running sums with one end cut off (Page's CUSUM), so that only what has lasted counts. Rent is charged for the
time since the sum last moved: asking often, or never, comes to the same.
"""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct

from ...model import Demand
from .bucket import Shadow, Work
from .rule import SECONDS_PER_HOUR, PoolTerms, RentRule

Why = Literal["configured", "found", "saving", "needed", "called", "unprofitable", "idle"]
"""Why a pool has the nodes that it has: the least that the configuration demands; found running though nobody here
asked for it; woken because it would have saved enough, because nobody else may answer, or because a rule or strategy
puts it first; released because it lost too much, or because nothing came."""

_NEWS = 0.05
"""Weight of the latest request in what one is usually worth."""
_A_MOMENT_S = 0.001
"""A balance is to be *below* its limit: at the very moment when it gets there nothing happens."""


class AccountView(Struct, frozen=True, kw_only=True):
    """An account for people. ``gain_usd`` is what the next node would have saved net of rent, and is to exceed
    ``wake_above_usd``; ``balance_usd`` is what the last node has lost, never above 0, and is not to fall below
    ``release_below_usd``. ``rate_usd_per_hour`` is the next node's saving of late. ``since`` is a monotonic time."""

    pool: str
    wanted: int
    nodes: int
    why: Why
    since: float
    gain_usd: float
    wake_above_usd: float
    rate_usd_per_hour: float
    balance_usd: float
    release_below_usd: float
    stake_usd: float


class PoolAccount:
    """``terms`` may be replaced at any time. Times are monotonic seconds; one before the last counts as the last."""

    def __init__(self, pool: str, terms: PoolTerms, rule: RentRule, now: float) -> None:
        self.pool, self.terms, self._rule = pool, terms, rule
        self.wanted = self.nodes = terms.min_nodes
        self.why: Why = "configured"
        self._now = self.since = now
        self._gain_usd = self._rate_usd = 0.0
        self._usual_usd: float | None = None
        self._earned_at: float | None = None
        self._balance_usd = 0.0
        self._used_at = [now] * (terms.max_nodes + 1)
        self._next, self._starting = Shadow(rule.bucket_s), Shadow(rule.bucket_s)

    # ------------------------------------------------------------ waking

    @property
    def may_wake(self) -> bool:
        return self.wanted < self.terms.max_nodes

    def absorbs(self, demand: Demand, now: float) -> bool:
        """Whether nodes that are starting already will take demand like this."""
        now = self._advance(now)
        starting = self.wanted - self.nodes
        if starting <= 0 or not self._starting.takes(self._work(demand), now, starting):
            return False
        self._used_at[self.wanted] = max(now, self._used_at[self.wanted])
        return True

    def earn(self, demand: Demand, now: float) -> None:
        """Book what one more node would have saved by answering, if it could have answered this too."""
        now = self._advance(now)
        if not self._next.takes(self._work(demand), now):
            return
        since_s = 0.0 if self._earned_at is None else now - self._earned_at
        rent_usd_per_s = self._rule.drift * self.terms.usd_per_s
        self._gain_usd = max(0.0, self._gain_usd + demand.value_usd - rent_usd_per_s * since_s)
        self._rate_usd = self._rate_at(since_s) + demand.value_usd
        usual = demand.value_usd if self._usual_usd is None else self._usual_usd
        self._usual_usd = usual + _NEWS * (demand.value_usd - usual)
        self._earned_at = now

    @property
    def pays(self) -> bool:
        """Whether the next node has earned its waking. One that still runs costs nothing to take back."""
        return self.may_wake and self.terms.usd_per_s > 0 and self._gain_usd > self._wake_above_usd

    def preference(self, now: float) -> tuple[float, float, str]:
        """Sort key among pools that pay: the highest rate first, then the lowest rent."""
        since_s = 0.0 if self._earned_at is None else max(0.0, now - self._earned_at)
        return -self._rate_at(since_s), self.terms.usd_per_s, self.pool

    def wake(self, why: Why, now: float) -> None:
        now = self._advance(now)
        runs = self.nodes > self.wanted
        if self.nodes == self.wanted:
            self._starting = self._next  # what it would have done until now waits for it
        self._used_at[self.wanted + 1] = now if runs else now + self.terms.cold_start_s
        self._next = Shadow(self._rule.bucket_s)
        self._balance_usd = 0.0
        self._want(self.wanted + 1, why, now)

    def reset_gain(self) -> None:
        self._gain_usd = 0.0

    # ------------------------------------------------------------ keeping

    def chosen(self, demand: Demand, now: float) -> None:
        """The pool answers: its last node earns if the others could not have taken the request."""
        now = self._advance(now)
        node = min(demand.nodes_needed, self.wanted)
        for used in range(1, node + 1):
            self._used_at[used] = max(now, self._used_at[used])
        if demand.nodes_needed >= self.wanted:
            self._balance_usd = min(0.0, self._balance_usd + demand.value_usd)

    def tick(self, now: float, busy_nodes: int = 0, *, by_rent: bool) -> bool:
        """Release what does not pay any more, or is not used; whether anything was. ``busy_nodes`` are in use now."""
        now = self._advance(now)
        before = self.wanted
        for used in range(1, min(busy_nodes, self.wanted) + 1):
            self._used_at[used] = max(now, self._used_at[used])
        while self.wanted > self.terms.min_nodes and now >= self._idle_at:
            self._release("idle", now)
        if by_rent and self._loses and self._balance_usd < self._release_below_usd:
            self._release("unprofitable", now)
        return self.wanted != before

    def due(self, *, by_rent: bool) -> float:
        """When ``tick`` will release something if nothing comes; infinite if never."""
        if self.wanted <= self.terms.min_nodes:
            return math.inf
        if not by_rent or not self._loses:
            return self._idle_at
        left_usd = max(0.0, self._balance_usd - self._release_below_usd)
        return min(self._idle_at, self._now + left_usd / self.terms.usd_per_s + _A_MOMENT_S)

    def seen(self, nodes: int, now: float) -> None:
        """So many nodes run now. Those that came unasked are paid for by somebody, so they may as well be used: they
        are kept for as long as they pay."""
        now = self._advance(now)
        if nodes > max(self.nodes, self.wanted) and self.may_wake:
            self._balance_usd = 0.0
            self._want(min(nodes, self.terms.max_nodes), "found", now)
        for used in range(self.nodes + 1, min(nodes, self.wanted) + 1):
            self._used_at[used] = now  # its idle time begins when it could be used
        self.nodes = nodes

    def offer(self, terms: PoolTerms, now: float) -> None:
        """New terms from now on: what was charged so far stays."""
        now = self._advance(now)
        self.terms = terms
        self._used_at += [now] * (terms.max_nodes + 1 - len(self._used_at))
        within = min(max(self.wanted, terms.min_nodes), terms.max_nodes)
        if within != self.wanted:
            self._want(within, "configured", now)

    def view(self, now: float) -> AccountView:
        since_s = 0.0 if self._earned_at is None else max(0.0, now - self._earned_at)
        rent_usd = self._rule.drift * self.terms.usd_per_s * since_s
        lost_usd = self.terms.usd_per_s * max(0.0, now - self._now) if self._loses else 0.0
        return AccountView(
            pool=self.pool,
            wanted=self.wanted,
            nodes=self.nodes,
            why=self.why,
            since=self.since,
            gain_usd=max(0.0, self._gain_usd - rent_usd),
            wake_above_usd=self._wake_above_usd,
            rate_usd_per_hour=self._rate_at(since_s) / self._rule.forget_s * SECONDS_PER_HOUR,
            balance_usd=self._balance_usd - lost_usd,
            release_below_usd=self._release_below_usd,
            stake_usd=self.terms.stake_usd,
        )

    # ------------------------------------------------------------ sums

    @property
    def _wake_above_usd(self) -> float:
        if self.nodes > self.wanted:
            return 0.0
        return self._rule.theta * self.terms.stake_usd + self._rule.few * (self._usual_usd or 0.0)

    @property
    def _release_below_usd(self) -> float:
        return -self._rule.keep * self.terms.stake_usd

    @property
    def _loses(self) -> bool:
        """Whether the last wanted node is one that may go, runs, and costs something."""
        return self.nodes >= self.wanted > self.terms.min_nodes and self.terms.usd_per_s > 0

    @property
    def _idle_at(self) -> float:
        return self._used_at[self.wanted] + self.terms.idle_timeout_s

    def _rate_at(self, since_s: float) -> float:
        """What was earned less rent, an exponential window of ``forget_s`` wide, so long after it was last booked."""
        left = math.exp(-since_s / self._rule.forget_s)
        rent_usd_per_s = self._rule.drift * self.terms.usd_per_s
        return self._rate_usd * left - rent_usd_per_s * self._rule.forget_s * (1 - left)

    def _work(self, demand: Demand) -> Work:
        terms = self.terms
        return Work(
            reading_s=terms.reading_s(demand.input_tokens),
            all_s=terms.work_s(demand.input_tokens, demand.output_tokens, self._rule.useful),
            limit_s=demand.limit_s,
        )

    def _advance(self, now: float) -> float:
        """Charge the last node's rent up to ``now``."""
        now = max(now, self._now)
        if self._loses:
            self._balance_usd -= self.terms.usd_per_s * (now - self._now)
        self._now = now
        return now

    def _release(self, why: Why, now: float) -> None:
        self._balance_usd = self._gain_usd = 0.0
        self._want(self.wanted - 1, why, now)

    def _want(self, nodes: int, why: Why, now: float) -> None:
        self.wanted, self.why, self.since = nodes, why, now
