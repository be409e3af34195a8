"""From the slot that an attempt takes to what its end teaches about its target: every start and every end is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..config.schema import Timeouts
from ..errors import AttemptFailed, TargetFull
from ..model import Choice
from ..pricing.estimate import expected_input_tokens
from ..routing.room import first_token_s
from ..signals.snapshot import Board
from ..upstream.sender import Sender
from .attempt import Attempt
from .deadlines import Deadlines
from .exchange import Exchange, Tried
from .limiting import Limiting
from .settle import actual_usd
from .standing import Standing

OUTPACED = "outpaced"
"""How an attempt ends when the one beside it answered first."""


class Lifetime:
    """``clock`` is monotonic."""

    def __init__(
        self,
        *,
        senders: Mapping[str, Sender],
        standings: Mapping[str, Standing],
        board: Board,
        timeouts: Timeouts,
        max_waiting: int,
        limiting: Limiting,
        clock: Callable[[], float],
    ) -> None:
        self._senders, self._standings, self._board = senders, standings, board
        self._timeouts, self._max_waiting, self._limiting, self._clock = timeouts, max_waiting, limiting, clock

    def start(self, exchange: Exchange, choice: Choice) -> Attempt:
        name = choice.target.name
        left_s = self._timeouts.total - (self._clock() - exchange.started_at)
        deadlines = Deadlines(self._timeouts, left_s)
        prompt_tokens = expected_input_tokens(self._board.view(name), exchange.decision.facts)
        slot = self._standings[name].take_slot(prompt_tokens)
        attempt = Attempt(choice, self._senders[name], deadlines, self._clock, slot)
        exchange.running.append(attempt)
        return attempt

    async def admit(self, exchange: Exchange, attempt: Attempt) -> None:
        """Take what it may use of limits and budgets. Raises ``TargetFull`` or ``TargetLimited``."""
        target = attempt.choice.target
        self._check_room(attempt.choice)
        if self._limiting.concerns(target, exchange.key_name):
            attempt.lease = await self._limiting.take(target, exchange.key_name, exchange.decision.facts)

    def succeeded(self, exchange: Exchange, attempt: Attempt) -> None:
        self._end(exchange, attempt, "ok")
        first_content_at = attempt.first_content_at
        waited_ms = None if first_content_at is None else (first_content_at - attempt.started_at) * 1000
        total_ms = (self._clock() - attempt.started_at) * 1000
        self._standing(attempt).succeeded(waited_ms, total_ms, attempt.started_at)

    def failed(self, exchange: Exchange, attempt: Attempt, failure: AttemptFailed) -> None:
        self._end(exchange, attempt, failure.reason, failure)
        self._standing(attempt).failed(failure, attempt.started_at)

    def outpaced(self, exchange: Exchange, attempt: Attempt, *, slow: bool) -> None:
        """Its answer is not wanted any more. One that was ``slow`` is known to take longer than it has so far."""
        self._end(exchange, attempt, OUTPACED)
        if slow:
            so_far_ms = (self._clock() - attempt.started_at) * 1000
            silent = exchange.chat.stream and attempt.first_content_at is None
            self._standing(attempt).outpaced(so_far_ms if silent else None, so_far_ms)

    def abandoned(self, exchange: Exchange, attempt: Attempt) -> None:
        """The caller left: nobody's fault, so the target's standing does not change."""
        self._end(exchange, attempt, "client_gone")

    def reading_s(self, choice: Choice) -> float | None:
        """Until this prompt, which is the last in the queue, will have been read."""
        pool = self._board.pool(choice.target.owner)
        return None if pool is None else first_token_s(pool, 0, pool.nodes)

    def _standing(self, attempt: Attempt) -> Standing:
        return self._standings[attempt.choice.target.name]

    def _check_room(self, choice: Choice) -> None:
        """llama.cpp never refuses: it queues without end. So the router keeps the queue, and keeps it short."""
        pool = self._board.pool(choice.target.owner)
        if pool is None or pool.slots is None:
            return
        if pool.in_flight > pool.slots + self._max_waiting:
            raise TargetFull(f"{pool.slots} slots are busy and {self._max_waiting} requests wait")

    def _end(self, exchange: Exchange, attempt: Attempt, outcome: str, failure: AttemptFailed | None = None) -> None:
        attempt.close()
        exchange.first_content_at = attempt.first_content_at
        # Who was outpaced has read the prompt and charges for it, even if nobody heard a word.
        charged = attempt.billable or (outcome == OUTPACED and attempt.sent)
        usage = attempt.usage(exchange.decision.facts) if charged else None
        if attempt.lease is not None:
            target = attempt.choice.target
            usd = None if usage is None else actual_usd(target, self._board.view(target.name).cost, usage)
            self._limiting.settle(attempt.lease, target, usage, usd)
        exchange.trail.append(Tried(attempt.choice, outcome, usage, failure))
        exchange.running.remove(attempt)
