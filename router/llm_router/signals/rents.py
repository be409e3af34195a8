"""The router's wishes for its pools: what decisions taught, kept in the rent book, posted for the next ones to read and
exported for whoever starts and stops nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from msgspec import structs

from ..config.schema import Cluster
from ..model import ClusterStatus, Demand, PoolView
from ..pricing.rent import AccountView, PoolTerms, RentBook, terms_of
from ..telemetry.metrics import Metrics
from .snapshot import Board


class Rents:
    """``clusters`` are those that are wanted at all; ``by_rent`` says whether the strategy reckons with rent. ``clock``
    is monotonic seconds, the board's."""

    def __init__(
        self,
        clusters: Iterable[Cluster],
        board: Board,
        metrics: Metrics,
        clock: Callable[[], float],
        *,
        by_rent: bool,
    ) -> None:
        self._board, self._metrics, self._clock = board, metrics, clock
        self._fixed: dict[str, int] = {}
        self._terms: dict[str, PoolTerms] = {}
        for cluster in clusters:
            terms = terms_of(cluster)
            if terms.min_nodes < terms.max_nodes:
                self._terms[cluster.name] = terms
            else:
                self._fixed[cluster.name] = terms.min_nodes
        self._book = RentBook(self._terms, clock(), by_rent=by_rent)

    def take_over(self, old: Rents) -> None:
        """Go on with what an earlier generation knew of clusters that are still there, and post it."""
        for pool in self._terms.keys() & old._terms.keys():
            self._book.adopt(old._book, pool)
            if self._terms[pool] != old._terms[pool]:  # else the live price that is known stays
                self._book.offer(pool, self._terms[pool], self._clock())
        self.post()

    def observe(self, demand: Demand | None) -> tuple[str, ...]:
        """Book a decision that was made; the pools that it woke."""
        if demand is None:
            return ()
        return self._changed(self._book.observe(demand, self._clock()))

    def tick(self) -> None:
        """Time has passed: release what does not pay any more, and show what is wanted."""
        busy = {pool: _busy_nodes(self._board.pool(pool)) for pool in self._terms}
        self._book.tick(self._clock(), busy)
        self._changed(self._terms)  # all of them: a request of an earlier generation may have woken one
        self._show({pool: max(self._book.wanted(pool), nodes) for pool, nodes in busy.items()})

    def seen(self, pool: str, nodes: int, status: ClusterStatus | None) -> None:
        """So many nodes run now, on the terms that their status tells."""
        if pool not in self._terms:
            return
        now = self._clock()
        if status is not None:
            self._changed(self._book.offer(pool, _live(self._book.terms(pool), status), now))
        self._changed(self._book.seen(pool, nodes, now))

    def wish(self, pool: str) -> AccountView | None:
        """The pool's account as it stands now; ``None`` where the number of nodes is fixed."""
        return self._book.view(pool, self._clock()) if pool in self._terms else None

    def post(self) -> None:
        """Tell board and metrics all wishes."""
        self._changed(self._terms)
        self._show(self._fixed)

    def _changed(self, pools: Iterable[str]) -> tuple[str, ...]:
        wanted = {pool: self._book.wanted(pool) for pool in pools}
        for pool, nodes in wanted.items():
            self._board.post_pool(pool, wanted=nodes)
            for view in self._board.of(pool) if nodes else ():
                if view.state == "zero":
                    self._board.post(view.target.name, state="starting")
        self._show(wanted)
        return tuple(wanted)

    def _show(self, wanted: Mapping[str, int]) -> None:
        for pool, nodes in wanted.items():
            self._metrics.pool_wanted(pool, nodes)


def _busy_nodes(pool: PoolView | None) -> int:
    """Nodes that what is under way keeps busy at least: they are not stopped under it."""
    if pool is None or not pool.in_flight:
        return 0
    per_node = max(1, (pool.slots or 0) // max(1, pool.nodes))
    return min(math.ceil(pool.in_flight / per_node), max(1, pool.nodes))


def _live(terms: PoolTerms, status: ClusterStatus) -> PoolTerms:
    """The same pool at the live price, where there is one. Else at the last: it is nearer to the truth than none."""
    usd = status.node_usd_per_hour
    if usd is None or not 0 < usd < math.inf:
        return terms
    return structs.replace(terms, node_usd_per_hour=usd)
