"""The failover loop: attempts in the order of the decision until one answers.

answer → start an attempt → open it (or read it whole) → on failure: note it, ask the plan what may follow
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping

from ..config.schema import Failover, Timeouts
from ..errors import AttemptFailed, ConnectFailed, NotSent, TargetFull
from ..model import Choice
from ..pricing.estimate import expected_input_tokens
from ..routing.room import first_token_s
from ..signals.snapshot import Board
from ..telemetry.metrics import Metrics
from ..upstream.sender import Sender
from ..upstream.wire.base import Piece
from ..upstream.wire.chunks import Collector
from .attempt import Attempt
from .deadlines import Deadlines
from .exchange import Exchange, Tried
from .limiting import Limiting
from .plan import Plan
from .retry_budget import RetryBudget
from .settle import actual_usd
from .standing import Standing
from .verdict import verdict

MAX_BUFFERED_BYTES = 4 * 1024 * 1024
"""How much of a buffered answer is held back; what is longer is committed there, and streamed live from then on."""
NO_WORK = (NotSent, ConnectFailed)
"""Nobody had any work with such an attempt, so what follows it multiplies no load and needs no budget."""
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.25, 2.0


class Attempts:
    """``clock`` is monotonic; ``sleep`` and ``chance`` (0..1) are handed in for tests."""

    def __init__(
        self,
        *,
        senders: Mapping[str, Sender],
        standings: Mapping[str, Standing],
        board: Board,
        failover: Failover,
        timeouts: Timeouts,
        max_waiting: int,
        limiting: Limiting,
        metrics: Metrics,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._senders, self._standings, self._board = senders, standings, board
        self._failover, self._timeouts, self._max_waiting = failover, timeouts, max_waiting
        self._limiting = limiting
        self._budget = RetryBudget()
        self._metrics, self._clock, self._sleep, self._chance = metrics, clock, sleep, chance

    async def stream(self, exchange: Exchange) -> tuple[Attempt, list[Piece]]:
        """An attempt whose first content has come, or for a buffered answer all of it, with what came until then. The
        caller must end it with ``succeeded``, ``interrupted`` or ``abandoned``. Raises the verdict when nobody
        answers."""
        held: list[Piece] = []

        async def opened(attempt: Attempt) -> None:
            held[:] = await attempt.open(exchange.chat, exchange.request_id)
            if exchange.decision.buffered:
                held.extend(await attempt.rest(MAX_BUFFERED_BYTES))

        return await self._until_one_answers(exchange, opened), held

    async def whole(self, exchange: Exchange) -> tuple[Attempt, bytes]:
        """A complete, validated answer. The caller must end the attempt as with ``stream``."""
        body = b""

        async def complete(attempt: Attempt) -> None:
            nonlocal body
            wire = self._senders[attempt.choice.target.name].wire
            if not wire.collects:
                body = await attempt.whole(exchange.chat, exchange.request_id, self._reading_s(attempt.choice))
                return
            collector = Collector()
            pieces = await attempt.open(exchange.chat, exchange.request_id)
            while pieces:
                for piece in pieces:
                    collector.add(piece)
                pieces = await attempt.more()
            body = collector.completion(
                id=f"chatcmpl-{exchange.request_id}",
                created=int(exchange.unix_time),
                model=attempt.model or attempt.choice.target.model,
                usage=attempt.usage(exchange.decision.facts),
            )

        attempt = await self._until_one_answers(exchange, complete)
        return attempt, body

    def succeeded(self, exchange: Exchange) -> None:
        """The running attempt's answer is complete and delivered."""
        attempt = self._end(exchange, "ok")
        first_content_at = attempt.first_content_at
        waited_ms = None if first_content_at is None else (first_content_at - attempt.started_at) * 1000
        total_ms = (self._clock() - attempt.started_at) * 1000
        self._standings[attempt.choice.target.name].succeeded(waited_ms, total_ms, attempt.started_at)

    def interrupted(self, exchange: Exchange, failure: AttemptFailed) -> None:
        """The running attempt failed after the commit point: no other may follow."""
        attempt = self._end(exchange, failure.reason, failure)
        self._standings[attempt.choice.target.name].failed(failure, attempt.started_at)

    def abandoned(self, exchange: Exchange) -> None:
        """The caller left: nobody's fault, so the target's standing does not change."""
        if exchange.attempt is not None:
            self._end(exchange, "client_gone")

    async def _until_one_answers(self, exchange: Exchange, use: Callable[[Attempt], Awaitable[None]]) -> Attempt:
        plan = Plan(exchange.decision.choices, self._failover)
        choice = plan.first()
        with self._budget.request() as may_follow_up:
            while True:
                attempt = self._start(exchange, choice)
                try:
                    self._check_room(choice)
                    if self._limiting.concerns(choice.target, exchange.key_name):
                        facts = exchange.decision.facts
                        attempt.lease = await self._limiting.take(choice.target, exchange.key_name, facts)
                    await use(attempt)
                except AttemptFailed as failure:
                    self.interrupted(exchange, failure)
                    following = plan.after(choice, failure, self._usable)
                    if following is None or not (isinstance(failure, NO_WORK) or may_follow_up()):
                        raise verdict(exchange.trail) from failure
                    if following is choice:
                        await self._sleep(self._backoff_s(len(exchange.trail)))
                    else:
                        self._metrics.failover(choice.target, following.target, failure.reason)
                    choice = following
                else:
                    return attempt

    def _reading_s(self, choice: Choice) -> float | None:
        """Until this prompt, which is the last in the queue, will have been read."""
        pool = self._board.pool(choice.target.owner)
        return None if pool is None else first_token_s(pool, 0, pool.nodes)

    def _usable(self, choice: Choice) -> bool:
        view = self._board.view(choice.target.name)
        return view.retry_at <= self._clock() and not view.probing

    def _check_room(self, choice: Choice) -> None:
        """llama.cpp never refuses: it queues without end. So the router keeps the queue, and keeps it short."""
        pool = self._board.pool(choice.target.owner)
        if pool is None or pool.slots is None:
            return
        if pool.in_flight > pool.slots + self._max_waiting:
            raise TargetFull(f"{pool.slots} slots are busy and {self._max_waiting} requests wait")

    def _backoff_s(self, tried: int) -> float:
        """Full jitter: anything up to the doubling ceiling."""
        return self._chance() * min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** (tried - 1))

    def _start(self, exchange: Exchange, choice: Choice) -> Attempt:
        name = choice.target.name
        left_s = self._timeouts.total - (self._clock() - exchange.started_at)
        deadlines = Deadlines(self._timeouts, left_s)
        prompt_tokens = expected_input_tokens(self._board.view(name), exchange.decision.facts)
        slot = self._standings[name].take_slot(prompt_tokens)
        exchange.attempt = attempt = Attempt(choice, self._senders[name], deadlines, self._clock, slot)
        return attempt

    def _end(self, exchange: Exchange, outcome: str, failure: AttemptFailed | None = None) -> Attempt:
        attempt = exchange.attempt
        if attempt is None:
            raise RuntimeError("no attempt is running")
        attempt.close()
        exchange.first_content_at = attempt.first_content_at
        usage = attempt.usage(exchange.decision.facts) if attempt.billable else None
        if attempt.lease is not None:
            target = attempt.choice.target
            usd = None if usage is None else actual_usd(target, self._board.view(target.name).cost, usage)
            self._limiting.settle(attempt.lease, target, usage, usd)
        exchange.trail.append(Tried(attempt.choice, outcome, usage, failure))
        exchange.attempt = None
        return attempt
