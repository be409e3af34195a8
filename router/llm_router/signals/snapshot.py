"""The board: where signals arrive and snapshots are taken.

Pollers, attempts and breakers post what they learn; a decision takes a snapshot and fetches nothing. Posting replaces
one frozen view, so a snapshot that somebody holds never changes under his hands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from ..model import PoolView, Snapshot, Target, View

_UNMEASURED = {"p95_latency_ms": None, "p95_total_ms": None, "first_token_ms": None, "latency_until": math.inf}
_OF_STANDINGS = {"pending": 0, "probing": False, "retry_at": 0.0, "retry_reason": "", "limited": (), **_UNMEASURED}
"""What standings post: those that live on post it anew, those that do not must not leave it behind. Limits may have
been changed."""
_OF_OTHERS = {"in_flight": 0, "unread_tokens": 0, "decoding": 0, "wanted": None}
"""The same of what loads and rents post about pools."""


class Board:
    """``clock`` is monotonic, in seconds: the one that every ``retry_at`` is measured with."""

    def __init__(self, targets: Iterable[Target], clock: Callable[[], float]) -> None:
        self._views = {target.name: View(target=target) for target in targets}
        self._pools = {
            view.target.owner: PoolView(prefill_tokens_per_second=view.target.prefill_tokens_per_second)
            for view in self._views.values()
            if view.target.kind == "cluster"
        }
        self._clock = clock
        self._taken: tuple[View, ...] | None = None
        self._pools_taken: Mapping[str, PoolView] | None = None
        self._latency_until = math.inf

    def snapshot(self) -> Snapshot:
        now = self._clock()
        if now > self._latency_until:
            self._forget_latencies(now)
        if self._taken is None:
            self._taken = tuple(self._views.values())
        if self._pools_taken is None:
            self._pools_taken = dict(self._pools)
        return Snapshot(self._taken, now, self._pools_taken)

    def view(self, target: str) -> View:
        return self._views[target]

    def find(self, target: str) -> View | None:
        """As ``view``; ``None`` for a target that is not there any more."""
        return self._views.get(target)

    def post(self, target: str, **changes: Any) -> None:
        """Replace these fields of the target's view. Who was away and is there again is back from now on."""
        old = self._views[target]
        view = msgspec.structs.replace(old, **changes)
        if _there(view) and not _there(old):
            view = msgspec.structs.replace(view, back_at=self._clock())
        self._views[target] = view
        self._latency_until = min(self._latency_until, view.latency_until)
        self._taken = None

    def post_owner(self, owner: str, **changes: Any) -> None:
        """The same for every target of a cluster or provider."""
        for view in self.of(owner):
            self.post(view.target.name, **changes)

    def pool(self, owner: str) -> PoolView | None:
        """What the targets of this cluster share; ``None`` where nobody is a cluster of that name."""
        return self._pools.get(owner)

    def post_pool(self, owner: str, **changes: Any) -> None:
        """Replace these fields of the cluster's pool; one that is not there any more is not missed."""
        pool = self._pools.get(owner)
        if pool is not None:
            self._pools[owner] = msgspec.structs.replace(pool, **changes)
            self._pools_taken = None

    def of(self, owner: str) -> list[View]:
        return [view for view in self._views.values() if view.target.owner == owner]

    def adopt(self, old: Board) -> None:
        """Take over what an earlier generation knew of targets that are still the same."""
        for name, view in old._views.items():
            mine = self._views.get(name)
            if mine is not None and mine.target == view.target:
                self._views[name] = msgspec.structs.replace(view, **_OF_STANDINGS)
        for owner in self._pools.keys() & old._pools.keys():
            self._pools[owner] = msgspec.structs.replace(old._pools[owner], **_OF_OTHERS)
        self._latency_until = min((view.latency_until for view in self._views.values()), default=math.inf)
        self._taken = self._pools_taken = None

    def _forget_latencies(self, now: float) -> None:
        """Whoever has not answered for a whole window is as one that was never measured: he may be tried again."""
        for name, view in self._views.items():
            if view.latency_until < now:
                self._views[name] = msgspec.structs.replace(view, **_UNMEASURED)
        self._latency_until = min((view.latency_until for view in self._views.values()), default=math.inf)
        self._taken = None


def _there(view: View) -> bool:
    return view.state == "up" and view.health != "unhealthy"
