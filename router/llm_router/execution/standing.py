"""A target's standing: what attempts taught about it, posted to the board for the next decisions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping

from ..config.schema import CircuitBreaker, Latency
from ..errors import AttemptFailed, NotSent, UpstreamRefused
from ..model import Target
from ..signals.latency import LatencyWindow
from ..signals.snapshot import Board
from .breaker import Breaker, BreakerState
from .pool_load import Place, PoolLoad

RATE_LIMIT_COOLING_S = 1.0
"""After a 429 that names no time."""
OPERATOR_COOLING_S = 60.0
"""After a refused key or an empty account: only the operator can mend it, so asking again soon is useless."""
OPERATOR_STATUSES = frozenset({401, 402, 403})
MAX_COOLING_S = 60.0
LATENCY_POST_S = 0.25
"""Percentiles are of hundreds of samples: one more changes little, and sorting them for each would cost."""


class Slot:
    """One attempt's place at its target, and in the pool behind it. Released once, however often it is asked to."""

    __slots__ = ("_place", "_release")

    def __init__(self, release: Callable[[], None], place: Place | None = None) -> None:
        self._release: Callable[[], None] | None = release
        self._place = place

    def prompt_read(self) -> None:
        """The first content came, so those that wait behind it wait for one prompt less."""
        if self._place is not None:
            self._place.read()

    def release(self) -> None:
        if self._release is not None:
            self._release()
            self._release = None
        if self._place is not None:
            self._place.leave()


class Standing:
    """The breaker, latency windows and attempts in flight of one target."""

    def __init__(
        self,
        target: Target,
        board: Board,
        breaker: CircuitBreaker,
        latency: Latency,
        clock: Callable[[], float],
        load: PoolLoad | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``chance`` gives 0 to 1; it spreads the times for which breakers are open."""
        self.made_for = (target, breaker, latency)
        self._load = load
        self._name, self._board, self._clock = target.name, board, clock
        self._breaker = Breaker(breaker, chance)
        self._first_token = LatencyWindow(latency.window, latency.percentile)
        self._total = LatencyWindow(latency.window, latency.percentile)
        self._window_s = latency.window
        self._pending = self._probes = 0
        self._posted_at, self._posted_any = float("-inf"), False

    @property
    def pending(self) -> int:
        return self._pending

    def breaker_state(self) -> BreakerState:
        return self._breaker.state(self._clock())

    def post_to(self, board: Board) -> None:
        """From now on tell this board: a later generation goes on with what was learnt and with what is in flight."""
        self._board = board
        self._post_load()
        self._post_breaker()
        self.post_latency()

    def take_slot(self, prompt_tokens: int = 0) -> Slot:
        """A place for one attempt. One that is taken while the breaker is not closed is a probe."""
        probe = self._breaker.tripped
        self._pending += 1
        self._probes += probe
        self._post_load()
        if probe:
            self._board.post(self._name, probed_at=self._clock())
        place = None if self._load is None else self._load.enter(prompt_tokens)
        return Slot(lambda: self._give_back(probe), place)

    def succeeded(self, first_token_ms: float | None, total_ms: float | None, since: float) -> None:
        """The answer to an attempt that began at ``since`` is complete: how long its first content took, and all of it,
        where that is known."""
        now = self._clock()
        tripped = self._breaker.tripped
        self._breaker.succeeded(now, since)
        if tripped and not self._breaker.tripped:
            self._board.post(self._name, back_at=now)
        self._took(now, first_token_ms, total_ms)
        self._post_breaker()

    def outpaced(self, first_token_ms: float | None, total_ms: float) -> None:
        """Another target's answer came first. That is no failure, but it would have taken longer than this."""
        self._took(self._clock(), first_token_ms, total_ms)

    def _took(self, now: float, first_token_ms: float | None, total_ms: float | None) -> None:
        if first_token_ms is not None:
            self._first_token.add(now, first_token_ms)
        if total_ms is not None:
            self._total.add(now, total_ms)
        if now - self._posted_at >= LATENCY_POST_S or not self._posted_any:
            self.post_latency()

    def post_latency(self) -> None:
        """Post the window's figures as they are now: old samples leave it without anything happening."""
        self._posted_at = self._clock()
        percentile, median = self._first_token.figures(self._posted_at)
        total, _ = self._total.figures(self._posted_at)
        self._posted_any = total is not None
        self._board.post(
            self._name,
            p95_latency_ms=percentile,
            first_token_ms=median,
            p95_total_ms=total,
            latency_until=self._posted_at + self._window_s,
        )

    def failed(self, failure: AttemptFailed, since: float) -> None:
        """An attempt that began at ``since`` failed."""
        now = self._clock()
        if isinstance(failure, UpstreamRefused):
            self._refused(failure, now, since)
        elif not isinstance(failure, NotSent):
            self._broke(now, since)
        self._post_breaker()

    def _broke(self, now: float, since: float) -> None:
        self._breaker.failed(now, since)
        self._board.post(self._name, failed_at=now)

    def _refused(self, failure: UpstreamRefused, now: float, since: float) -> None:
        if failure.quota or failure.status in OPERATOR_STATUSES:
            self._breaker.cool(now, OPERATOR_COOLING_S)
            return
        if failure.status == 429:
            self._breaker.cool(now, min(failure.retry_after_s or RATE_LIMIT_COOLING_S, MAX_COOLING_S))
            return
        if failure.status >= 500 or failure.status == 408:
            self._broke(now, since)
            if failure.retry_after_s:
                self._breaker.cool(now, min(failure.retry_after_s, MAX_COOLING_S))

    def _give_back(self, probe: bool) -> None:
        self._pending -= 1
        self._probes -= probe
        self._post_load()

    def _post_load(self) -> None:
        self._board.post(self._name, pending=self._pending, probing=self._probing)

    def _post_breaker(self) -> None:
        retry_at, reason = self._breaker.retry_at()
        self._board.post(self._name, retry_at=retry_at, retry_reason=reason, probing=self._probing)

    @property
    def _probing(self) -> bool:
        return self._breaker.tripped and self._probes > 0


def standings(
    targets: Iterable[Target],
    board: Board,
    breaker: CircuitBreaker,
    latency: Latency,
    clock: Callable[[], float],
    previous: Mapping[str, Standing] | None = None,
    loads: Mapping[str, PoolLoad] | None = None,
) -> dict[str, Standing]:
    """One standing a target, by target name; the ``previous`` one where target and settings are the same. That one
    tells its old board until ``post_to`` says otherwise. ``loads`` are those of the clusters, by name."""

    def standing(target: Target) -> Standing:
        old = (previous or {}).get(target.name)
        if old is not None and old.made_for == (target, breaker, latency):
            return old
        return Standing(target, board, breaker, latency, clock, (loads or {}).get(target.owner))

    return {target.name: standing(target) for target in targets}
