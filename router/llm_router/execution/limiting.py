"""Limits and budgets where requests meet them: a key's before the decision, a target's with each attempt.

admit (requests, tokens, concurrency of the key) → decide → take (those of the target, and both budgets) → settle
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from ..admission.book import Used
from ..admission.keys import ApiKey
from ..admission.limits import CHECK, Claim, Limit, Limits, Tally
from ..admission.refusal import rate_headers, reached
from ..config.schema import Config
from ..errors import ClientError, NoTarget, TargetLimited
from ..model import Facts, Limited, Target, Usage
from ..pricing.estimate import most_usage, most_usd, nano_usd
from ..signals.snapshot import Board
from ..state.counters import Counters, Lease, Reply
from ..telemetry.metrics import Metrics

RECHECK_S = 1.0
"""What others may give back at any time is asked for again this often."""

_SHOWN_TOGETHER = 200
"""Requests wait while shared state looks all of them up."""

logger = logging.getLogger("llm_router.limits")


class Admission:
    """What a request holds of its key's limits until it ends, and what its caller is told of them."""

    __slots__ = ("_lease", "headers")

    def __init__(self, lease: Lease | None = None, headers: Sequence[tuple[str, str]] = ()) -> None:
        self._lease, self.headers = lease, headers

    def settle(self, tokens: int) -> None:
        if self._lease is not None:
            self._lease.settle(Used(tokens=tokens))


UNLIMITED = Admission()


class Limiting:
    """``clock`` is monotonic seconds, ``unix_time`` the wall clock, by which budgets begin and end."""

    def __init__(
        self,
        config: Config,
        keys: Iterable[ApiKey],
        counters: Counters,
        board: Board,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        unix_time: Callable[[], float],
        previous: Limiting | None = None,
    ) -> None:
        self._counters, self._board, self._metrics = counters, board, metrics
        self._clock, self._unix_time = clock, unix_time
        self._keys = _those_that_limit(Limits("key", key.name, key.limits, key.budget) for key in keys)
        self._owners = _those_that_limit(
            [
                *(Limits("cluster", c.name, c.rate_limit, c.budget) for c in config.clusters),
                *(Limits("provider", p.name, p.rate_limit, p.budget) for p in config.external_providers if p.enabled),
            ]
        )
        self._told: set[str] = previous._told if previous is not None else set()

    # ------------------------------------------------------------ keys

    async def admit(self, key: ApiKey | None, tokens: int) -> Admission:
        """``tokens`` is what the request may come to, prompt and answers.

        Raises ``ClientError`` 429 where the key is at a limit, 402 where its budget is used up.
        """
        limits = None if key is None else self._keys.get(key.name)
        if limits is None:
            return UNLIMITED
        claims = [_rate_claim(limit, tokens) for limit in limits.rates]
        claims += [Claim(limit, CHECK) for limit in limits.budgets(self._unix_time())]
        reply = await self._reserve(claims)
        if reply.down:
            raise _nobody_to_ask()
        headers = rate_headers(claims, reply.tallies) if reply.tallies else ()
        if reply.refused is None:
            return Admission(reply.lease, headers)
        refusal = reached(reply.refused, _tally(reply, claims), self._unix_time())
        if refusal.retry_after_s is None:
            headers = (*headers, ("x-should-retry", "false"))
        raise ClientError(
            refusal.status,
            refusal.code,
            refusal.message,
            retry_after_s=refusal.retry_after_s,
            headers=headers,
        )

    # ------------------------------------------------------------ targets

    def concerns(self, target: Target, key_name: str | None) -> bool:
        """Whether an attempt there has to ``take`` anything."""
        return target.owner in self._owners or key_name in self._keys

    async def take(self, target: Target, key_name: str | None, facts: Facts) -> Lease | None:
        """What one attempt may use of its target's limits, and of both budgets. Raises ``TargetLimited``."""
        view = self._board.view(target.name)
        return await self.reserve(target, key_name, most_usage(view, facts).all_tokens, most_usd(view, facts))

    async def reserve(self, target: Target, key_name: str | None, tokens: int, usd: float | None) -> Lease | None:
        """The same for a target of whatever kind, of so many tokens and so much money (``None``: not known)."""
        unix_time = self._unix_time()
        theirs, keys = self._owners.get(target.owner), self._keys.get(key_name or "")
        claims = [] if theirs is None else [_rate_claim(limit, tokens) for limit in theirs.rates]
        budgets = [limit for limits in (keys, theirs) if limits is not None for limit in limits.budgets(unix_time)]
        if budgets:
            claims += _budget_claims(budgets, usd, target)
        if not claims:
            return None
        reply = await self._reserve(claims)
        if reply.down:
            raise TargetLimited(_nobody_to_ask())
        self._post(target.owner, claims, reply)
        if reply.refused is not None:
            refusal = reached(reply.refused, _tally(reply, claims), unix_time)
            error = NoTarget(refusal.status, refusal.code, refusal.message, retry_after_s=refusal.retry_after_s)
            raise TargetLimited(error)
        return reply.lease

    def settle(self, lease: Lease, target: Target, usage: Usage | None, usd: float | None) -> None:
        """What an attempt came to: ``None`` for nothing, or for a cost that is not known."""
        lease.settle(Used(tokens=usage.all_tokens if usage else 0, nano_usd=nano_usd(usd or 0.0)))
        for view in self._board.of(target.owner):
            if view.limited:  # something may have come free, but requests that were made stay made
                kept = tuple(limited for limited in view.limited if limited.unit == "requests")
                self._board.post(view.target.name, limited=kept)

    # ------------------------------------------------------------ for people

    async def standing(self) -> list[tuple[Limit, int]]:
        """Every limit with what is used of it just now."""
        unix_time = self._unix_time()
        everybody = [*self._keys.values(), *self._owners.values()]
        limits = [limit for one in everybody for limit in (*one.rates, *one.budgets(unix_time))]
        shown: list[tuple[Limit, int]] = []
        for i in range(0, len(limits), _SHOWN_TOGETHER):
            some = limits[i : i + _SHOWN_TOGETHER]
            reply = await self._counters.reserve([Claim(limit, CHECK) for limit in some])
            shown += [(limit, tally.used) for limit, tally in zip(some, reply.tallies, strict=not reply.down)]
        return shown

    # ------------------------------------------------------------ both

    async def _reserve(self, claims: Sequence[Claim]) -> Reply:
        reply = await self._counters.reserve(claims)
        if reply.refused is not None:
            limit = reply.refused.limit
            self._metrics.limited(limit.scope, limit.owner, limit.name)
        for claim, tally in zip(claims, reply.tallies, strict=not reply.down):
            soft = claim.limit.soft
            if soft is not None and tally.used >= soft:
                self._tell(claim.limit, tally.used)
        return reply

    def _tell(self, limit: Limit, used: int) -> None:
        """Once for each day or month of a budget."""
        if limit.key in self._told:
            return
        self._told.add(limit.key)
        self._metrics.budget_alert(limit.scope, limit.owner, limit.name)
        share = 100 * used // limit.ceiling
        logger.warning("%s %s has used %d%% of its budget, %s", limit.scope, limit.owner, share, limit.text)

    def _post(self, owner: str, claims: Sequence[Claim], reply: Reply) -> None:
        """For the next decisions: what need not be asked again just now."""
        now, unix_time = self._clock(), self._unix_time()
        limited = tuple(
            _limited(claim, tally, now, unix_time, refused=reply.refused is not None)
            for claim, tally in zip(claims, reply.tallies, strict=True)
            if tally.wait_s and claim.limit.scope != "key"
        )
        if limited or any(view.limited for view in self._board.of(owner)):
            self._board.post_owner(owner, limited=limited)


def _nobody_to_ask() -> NoTarget:
    message = "The store of limits does not answer, and nothing that has a limit is let through without it."
    return NoTarget(503, "limits_unavailable", message, retry_after_s=RECHECK_S)


def _those_that_limit(everybody: Iterable[Limits]) -> Mapping[str, Limits]:
    return {limits.owner: limits for limits in everybody if limits}


def _rate_claim(limit: Limit, tokens: int) -> Claim:
    return Claim(limit, tokens if limit.unit == "tokens" else 1)


def _budget_claims(budgets: Sequence[Limit], usd: float | None, target: Target) -> list[Claim]:
    if usd is not None:
        return [Claim(limit, nano_usd(usd)) for limit in budgets]
    if any(limit.hard for limit in budgets):
        message = f"What {target.name} costs is not known, and there is a budget to keep to."
        raise TargetLimited(NoTarget(402, "budget_exceeded", message))
    return [Claim(limit, CHECK) for limit in budgets]


def _tally(reply: Reply, claims: Sequence[Claim]) -> Tally:
    """That of the claim that was refused."""
    return next(t for claim, t in zip(claims, reply.tallies, strict=True) if claim is reply.refused)


def _limited(claim: Claim, tally: Tally, now: float, unix_time: float, *, refused: bool) -> Limited:
    limit = claim.limit
    wait_s = tally.wait_s
    if wait_s == math.inf and limit.unit == "nano_usd":
        wait_s = limit.ends_at - unix_time
    final = limit.unit == "requests" or tally.wait_s == math.inf
    until = now + (wait_s if final else min(wait_s, RECHECK_S))
    return Limited(limit.text, limit.unit, claim.amount if refused else 1, until, now + wait_s)
