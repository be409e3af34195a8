"""Counters that processes and replicas share, in Redis: one round trip to reserve, and settling in the background.

While Redis does not answer, each process counts for itself against its part of every limit (or refuses, where the
configuration says so), nobody waits for it, and one probe with growing, random pauses looks whether it is back. What
was spent meanwhile is booked then.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from redis.exceptions import RedisError

from ..admission.book import Book, Taken, Used
from ..admission.limits import Claim, Limit, Tally, budget_of
from ..admission.shares import part_of
from ..admission.spending import UNDER_WAY_S
from ..telemetry.metrics import Metrics
from .asking import Asking, Question, Unanswered, within
from .counters import Lease, Reply
from .settling import Settling, expiry

if TYPE_CHECKING:
    from redis.asyncio import Redis

PREFIX = "{llmr}:"
LEASE_S = 30.0
"""What a killed process held is free after this long. Those that live renew theirs three times as often."""
FIRST_PAUSE_S, MAX_PAUSE_S = 0.1, 2.0
ANSWER_SHARE = 0.8
"""Of the time that a question may take: so long its answer is awaited, the rest is for noticing that none comes."""
KEEPER_TIMEOUT_S = 1.0
"""Nobody waits for what is settled in the background."""
_HERE = Path(__file__).parent

logger = logging.getLogger("llm_router.state")


class RedisCounters:
    """``clock`` is monotonic seconds; ``chance`` (0..1) and ``sleep`` are handed in for tests. ``start`` it in the
    running loop, and close it there."""

    def __init__(
        self,
        client: Redis,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        chance: Callable[[], float],
        timeout_s: float,
        when_down: Literal["local", "deny"] = "local",
        replicas: int | None = None,
        lease_s: float = LEASE_S,
    ) -> None:
        self._client, self._metrics, self._clock, self._sleep, self._chance = client, metrics, clock, sleep, chance
        self._timeout_s, self._when_down, self._lease_ms = timeout_s, when_down, int(lease_s * 1000)
        self._reserve = client.register_script((_HERE / "reserve.lua").read_text())
        self._settle = client.register_script((_HERE / "settle.lua").read_text())
        self._process, self._numbers = secrets.token_hex(8), 0
        self._settling = Settling()
        self._asking = Asking(self._answers)
        self._local = Book()
        self._known: dict[str, tuple[str, int]] = {}
        """The last that was seen spent, by owner and name of the budget: its period, and nano-USD."""
        self._replicas, self._seen = replicas, 1
        self._down = False
        self._tasks: list[asyncio.Task[None]] = []

    async def reserve(self, claims: Sequence[Claim]) -> Reply:
        if self._down:
            return self._without_redis(claims)
        self._numbers += 1
        lease = f"{self._process}-{self._numbers}"
        try:
            answer = await self._asking.ask((lease, [self._asked(claim) for claim in claims]))
        except Unanswered:
            self._settling.forget(lease, claims)
            return self._without_redis(claims)
        except asyncio.CancelledError:
            self._settling.forget(lease, claims)
            raise
        return self._reply(lease, claims, answer)

    # ------------------------------------------------------------ with Redis

    def _asked(self, claim: Claim) -> Question:
        limit = claim.limit
        known = self._spent(limit)
        return limit.unit, limit.key, limit.ceiling, claim.amount, limit.hard, known, expiry(limit)

    async def _answers(self, questions: Sequence[Question]) -> Sequence[Sequence[int]]:
        asked_at = self._clock()
        question = msgspec.msgpack.encode((self._lease_ms, questions))
        try:
            answers: Sequence[Sequence[int]] = await within(
                ANSWER_SHARE * self._timeout_s, self._reserve(keys=[PREFIX], args=[question])
            )
        except (OSError, TimeoutError, RedisError) as error:
            self._lost(error)
            raise Unanswered from error
        self._metrics.state_asked(self._clock() - asked_at)
        return answers

    def _reply(self, lease: str, claims: Sequence[Claim], answer: Sequence[int]) -> Reply:
        refused, second, *figures = answer
        tallies = []
        for claim, (used, wait_ms, reset_ms, spent) in zip(claims, _fours(figures), strict=True):
            tallies.append(Tally(used, _seconds(wait_ms), _seconds(reset_ms)))
            if claim.limit.unit == "nano_usd":
                self._known[budget_of(claim.limit)] = (claim.limit.period, spent)
        if refused:
            return Reply(tuple(tallies), refused=claims[refused - 1])
        taken = tuple(Taken(claim, second) for claim in claims if claim.amount)
        self._settling.opened(lease, taken)
        return Reply(tuple(tallies), Lease(taken, lambda used: self._settling.closed(lease, taken, used)))

    # ------------------------------------------------------------ without Redis

    def _without_redis(self, claims: Sequence[Claim]) -> Reply:
        if self._when_down == "deny":
            return Reply(refused=claims[0], down=True)
        shares = [Claim(self._share(claim), claim.amount) for claim in claims]
        outcome = self._local.reserve(shares, self._clock())
        if outcome.refused is not None:
            tallies = [self._for_now(c, tally) for c, tally in zip(claims, outcome.tallies, strict=True)]
            return Reply(tuple(tallies), refused=claims[shares.index(outcome.refused)])

        def settle(used: Used) -> None:
            # What was spent is booked where it belongs, once that can be reached; here it is no longer reserved.
            self._local.settle(outcome.taken, Used(tokens=used.tokens), self._clock())
            self._settling.spent(outcome.taken, used)

        return Reply(outcome.tallies, Lease(outcome.taken, settle))

    def _share(self, claim: Claim) -> Limit:
        """This process's part of what is left, as far as it is known; but of everything except money one request, which
        else would not get through anywhere where there are many routers."""
        limit, routers = claim.limit, self._replicas or self._seen
        if limit.unit == "nano_usd":
            left = max(0, limit.ceiling - self._spent(limit)) // routers
            return msgspec.structs.replace(limit, ceiling=left - self._settling.unbooked(limit))
        return part_of(claim, routers)

    def _for_now(self, claim: Claim, tally: Tally) -> Tally:
        """Money that is there, but not in this process's part, is refused until Redis is back, not until tomorrow."""
        limit = claim.limit
        if tally.wait_s < math.inf or limit.unit != "nano_usd":
            return tally
        left = limit.ceiling - self._spent(limit) - self._settling.unbooked(limit)
        return tally if claim.amount > left else msgspec.structs.replace(tally, wait_s=UNDER_WAY_S)

    def _spent(self, limit: Limit) -> int:
        period, spent = self._known.get(budget_of(limit), ("", 0)) if limit.unit == "nano_usd" else ("", 0)
        return spent if period == limit.period else 0

    def _lost(self, error: BaseException) -> None:
        if not self._down:
            self._down = True
            self._metrics.state_reached(up=False)
            what = type(error).__name__
            logger.warning("Redis does not answer (%s); until it does, limits are: %s", what, self._when_down)
            self._settling.wake()

    # ------------------------------------------------------------ in the background

    def start(self) -> None:
        self._metrics.state_reached(up=True)
        self._tasks = [asyncio.create_task(self._asking.run()), asyncio.create_task(self._keep())]

    async def aclose(self) -> None:
        """What is settled by now is booked, as far as Redis takes it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while not self._down and self._settling.waiting:
            await self._book()
        await self._client.aclose()

    async def _keep(self) -> None:
        """Books what is settled as it comes, and renews the leases of what runs."""
        pause_s, renew_at = FIRST_PAUSE_S, -math.inf
        while True:
            if self._down:
                await self._sleep(pause_s * (0.5 + self._chance()))
                pause_s = min(2 * pause_s, MAX_PAUSE_S)
            elif self._clock() >= renew_at:
                renew_at = self._clock() + self._lease_ms / 3000
                self._settling.renew()
            elif not await self._settling.wait(renew_at - self._clock()):
                continue
            if await self._book():
                pause_s = FIRST_PAUSE_S

    async def _book(self) -> bool:
        """One batch; whether Redis has answered. Without an answer the batch stays the next one, under its number."""
        number, entries = self._settling.batch()
        question = msgspec.msgpack.encode((self._process, number, self._lease_ms, entries))
        try:
            self._seen = await within(KEEPER_TIMEOUT_S, self._settle(keys=[PREFIX], args=[question]))
        except (OSError, TimeoutError, RedisError) as error:
            self._lost(error)
            return False
        self._settling.booked()
        if self._down:
            self._down = False
            self._metrics.state_reached(up=True)
            logger.info("Redis answers again; limits are shared")
        return True


def _fours(figures: Sequence[int]) -> list[tuple[int, int, int, int]]:
    return list(zip(*(iter(figures),) * 4, strict=True))


def _seconds(milliseconds: int) -> float:
    return math.inf if milliseconds < 0 else milliseconds / 1000
