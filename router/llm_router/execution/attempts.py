"""The failover loop: attempts in the order of the decision until one answers.

answer → start an attempt → open it (or read it whole) → on failure: note it, ask the plan what may follow

Where a request is hedged and an attempt is slow, another one runs beside it: who answers first counts.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from ..config.schema import Failover
from ..errors import AttemptFailed, ConnectFailed, NotSent, UpstreamBroken
from ..model import Choice
from ..signals.snapshot import Board
from ..telemetry.metrics import Metrics
from ..upstream.client import MAX_ANSWER_BYTES
from ..upstream.wire.base import Piece
from ..upstream.wire.chunks import Collector
from .attempt import Attempt
from .exchange import Exchange
from .hedging import race
from .lifetime import Lifetime
from .plan import Plan
from .retry_budget import RetryBudget
from .verdict import verdict

MAX_BUFFERED_BYTES = 4 * 1024 * 1024
"""How much of a buffered answer is held back; what is longer is committed there, and streamed live from then on."""
NO_WORK = (NotSent, ConnectFailed)
"""Nobody had any work with such an attempt, so what follows it multiplies no load and needs no budget."""
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.25, 2.0

T = TypeVar("T")
Use = Callable[[Attempt], Coroutine[Any, Any, T]]


class Attempts:
    """``clock`` is monotonic; ``sleep`` and ``chance`` (0..1) are handed in for tests."""

    def __init__(
        self,
        *,
        lifetime: Lifetime,
        board: Board,
        failover: Failover,
        metrics: Metrics,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._lifetime, self._board, self._failover = lifetime, board, failover
        self._budget = RetryBudget()
        self._metrics, self._clock, self._sleep, self._chance = metrics, clock, sleep, chance

    async def stream(self, exchange: Exchange) -> tuple[Attempt, list[Piece]]:
        """An attempt whose first content has come, or for a buffered answer all of it, with what came until then. The
        caller must end it with ``succeeded``, ``interrupted`` or ``abandoned``. Raises the verdict when nobody
        answers."""

        async def opened(attempt: Attempt) -> list[Piece]:
            held = await attempt.open(exchange.chat, exchange.request_id)
            if exchange.decision.buffered:
                held += await attempt.rest(MAX_BUFFERED_BYTES)
            return held

        return await self._until_one_answers(exchange, opened)

    async def whole(self, exchange: Exchange) -> tuple[Attempt, bytes]:
        """A complete, validated answer. The caller must end the attempt as with ``stream``."""

        async def complete(attempt: Attempt) -> bytes:
            if not attempt.collects:
                reading_s = self._lifetime.reading_s(attempt.choice)
                return await attempt.whole(exchange.chat, exchange.request_id, reading_s)
            collector = Collector()
            pieces = await attempt.open(exchange.chat, exchange.request_id)
            while pieces:
                for piece in pieces:
                    collector.add(piece)
                if attempt.received_bytes > MAX_ANSWER_BYTES:
                    raise UpstreamBroken(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
                pieces = await attempt.more()
            return collector.completion(
                id=f"chatcmpl-{exchange.request_id}",
                created=int(exchange.unix_time),
                model=attempt.model or attempt.choice.target.model,
                usage=attempt.usage(exchange.decision.facts),
            )

        return await self._until_one_answers(exchange, complete)

    def succeeded(self, exchange: Exchange) -> None:
        """The running attempt's answer is complete and delivered."""
        self._lifetime.succeeded(exchange, _only(exchange))

    def interrupted(self, exchange: Exchange, failure: AttemptFailed) -> None:
        """The running attempt failed after the commit point: no other may follow."""
        self._lifetime.failed(exchange, _only(exchange), failure)

    def abandoned(self, exchange: Exchange) -> None:
        """The caller left."""
        for attempt in tuple(exchange.running):
            self._lifetime.abandoned(exchange, attempt)

    async def _until_one_answers(self, exchange: Exchange, use: Use[T]) -> tuple[Attempt, T]:
        plan = Plan(exchange.decision.choices, self._failover)
        choice = plan.first()
        with self._budget.request() as may_follow_up:
            while True:
                attempt = self._lifetime.start(exchange, choice)
                try:
                    hedge_after_s = self._hedge_after_s(exchange, choice)
                    if hedge_after_s is None:
                        return attempt, await self._ask(exchange, attempt, use)
                    return await self._ask_hedged(exchange, attempt, use, hedge_after_s, plan, may_follow_up)
                except AttemptFailed as failure:
                    failed = _only(exchange)
                    self._lifetime.failed(exchange, failed, failure)
                    following = plan.after(failed.choice, failure, self._usable)
                    if following is None or not (isinstance(failure, NO_WORK) or may_follow_up()):
                        raise verdict(exchange.trail) from failure
                    if following is failed.choice:
                        await self._sleep(self._backoff_s(len(exchange.trail)))
                    else:
                        self._metrics.failover(failed.choice.target, following.target, failure.reason)
                    choice = following

    async def _ask(self, exchange: Exchange, attempt: Attempt, use: Use[T]) -> T:
        await self._lifetime.admit(exchange, attempt)
        return await use(attempt)

    async def _ask_hedged(
        self,
        exchange: Exchange,
        first: Attempt,
        use: Use[T],
        after_s: float,
        plan: Plan,
        may_follow_up: Callable[[], bool],
    ) -> tuple[Attempt, T]:
        """The answer of ``first``, or of another attempt that runs beside it from ``after_s`` on. Raises the failure
        after which nobody is left; its attempt is then the one that still runs."""
        hedge: Attempt | None = None

        def beside() -> Attempt | None:
            nonlocal hedge
            choice = plan.beside(first.choice, self._usable)
            if choice is not None and may_follow_up():
                plan.take(choice)
                exchange.hedge = choice.target.name
                hedge = self._lifetime.start(exchange, choice)
            return hedge

        def goes_on(failed: Attempt, failure: AttemptFailed) -> bool:
            if plan.is_final(failure):
                return False
            self._lifetime.failed(exchange, failed, failure)
            return True

        speaking, answer = await race(first, lambda one: self._ask(exchange, one, use), after_s, beside, goes_on)
        for other in [attempt for attempt in exchange.running if attempt is not speaking]:
            self._lifetime.outpaced(exchange, other, slow=other is first)
        if hedge is not None:
            won = speaking is hedge and answer.exception() is None
            self._metrics.hedged(first.choice.target, hedge.choice.target, won=won)
        return speaking, answer.result()

    def _hedge_after_s(self, exchange: Exchange, choice: Choice) -> float | None:
        """After what silence another target is asked beside this one; ``None`` for never."""
        decision, after_s = exchange.decision, self._failover.hedging.after
        if not decision.hedged or after_s is not None:
            return after_s if decision.hedged else None
        view = self._board.view(choice.target.name)
        live = exchange.chat.stream and not decision.buffered
        usual_ms = view.p95_latency_ms if live else view.p95_total_ms
        return None if usual_ms is None else usual_ms / 1000

    def _usable(self, choice: Choice) -> bool:
        view = self._board.view(choice.target.name)
        return view.retry_at <= self._clock() and not view.probing

    def _backoff_s(self, tried: int) -> float:
        """Full jitter: anything up to the doubling ceiling."""
        return self._chance() * min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** (tried - 1))


def _only(exchange: Exchange) -> Attempt:
    if exchange.attempt is None:
        raise RuntimeError("no attempt is running")
    return exchange.attempt
