"""The accounts of all pools together: who is woken, and who is released.

Each decision and its outcome is observed after it was made; decisions read only what came of it (``wanted``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from ...model import Demand
from .account import AccountView, PoolAccount, Why
from .rule import PoolTerms, RentRule


class RentBook:
    """``by_rent`` is false where the strategy does not reckon with rent: then pools are woken when they are called, or
    when nobody else may answer, and go when they are idle. Times are monotonic seconds. Not for several threads.

    What changes a wish returns the pools whose wish has changed.
    """

    def __init__(
        self, pools: Mapping[str, PoolTerms], now: float, rule: RentRule | None = None, *, by_rent: bool = True
    ) -> None:
        self._rule = RentRule() if rule is None else rule
        self._by_rent = by_rent
        self._accounts = {pool: PoolAccount(pool, terms, self._rule, now) for pool, terms in pools.items()}

    def wanted(self, pool: str) -> int:
        return self._accounts[pool].wanted

    def terms(self, pool: str) -> PoolTerms:
        return self._accounts[pool].terms

    def adopt(self, old: RentBook, pool: str) -> None:
        """Go on with the account that the pool has in another book, and on its terms there."""
        self._accounts[pool] = old._accounts[pool]

    def observe(self, demand: Demand, now: float) -> tuple[str, ...]:
        """Book what a decision says: who answers, and who would have been worth running."""
        if demand.chosen in self._accounts:
            self._accounts[demand.chosen].chosen(demand, now)
        if demand.called in self._accounts:
            return self._call(self._accounts[demand.called], demand, now)
        if not demand.spilled:
            return ()
        able = [self._accounts[pool] for pool in demand.able if pool in self._accounts]
        if any(account.absorbs(demand, now) for account in able):
            return ()
        return self._spilled([account for account in able if account.may_wake], demand, now)

    def tick(self, now: float, busy_nodes: Mapping[str, int] | None = None) -> tuple[str, ...]:
        """Release what does not pay any more or stood idle. ``busy_nodes``: nodes of each pool with work under way."""
        busy = {} if busy_nodes is None else busy_nodes
        return tuple(
            pool
            for pool, account in self._accounts.items()
            if account.tick(now, busy.get(pool, 0), by_rent=self._by_rent)
        )

    def due(self) -> float:
        """When the next ``tick`` will release something if nothing comes; infinite if never."""
        return min((account.due(by_rent=self._by_rent) for account in self._accounts.values()), default=math.inf)

    def seen(self, pool: str, nodes: int, now: float) -> tuple[str, ...]:
        """So many nodes of the pool run now."""
        account = self._accounts[pool]
        before = account.wanted
        account.seen(nodes, now)
        return (pool,) if account.wanted != before else ()

    def offer(self, pool: str, terms: PoolTerms, now: float) -> tuple[str, ...]:
        """The pool is rented on these terms from now on."""
        account = self._accounts[pool]
        before = account.wanted
        account.offer(terms, now)
        return (pool,) if account.wanted != before else ()

    def view(self, pool: str, now: float) -> AccountView:
        return self._accounts[pool].view(now)

    def _call(self, account: PoolAccount, demand: Demand, now: float) -> tuple[str, ...]:
        if account.wanted > 0:
            account.absorbs(demand, now)
            return ()
        return _wake(account, "called", (), now)

    def _spilled(self, able: list[PoolAccount], demand: Demand, now: float) -> tuple[str, ...]:
        if demand.value_usd == math.inf:
            cheapest = min(able, key=lambda account: account.terms.usd_per_s, default=None)
            woken = _wake(cheapest, "needed", able, now)
            if cheapest is not None:
                cheapest.absorbs(demand, now)
            return woken
        if not demand.value_usd > 0 or not self._by_rent:
            return ()
        for account in able:
            account.earn(demand, now)
        paying = [account for account in able if account.pays]
        return _wake(min(paying, key=lambda account: account.preference(now), default=None), "saving", able, now)


def _wake(best: PoolAccount | None, why: Why, rivals: Iterable[PoolAccount], now: float) -> tuple[str, ...]:
    """His rivals begin anew, since he will take what they would have earned by."""
    if best is None:
        return ()
    best.wake(why, now)
    for account in (best, *rivals):
        account.reset_gain()
    return (best.pool,)
