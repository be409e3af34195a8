"""What may follow a failed attempt: pure rules over the decision and the trail so far.

At most ``maxRetries`` follow-ups; ``sameTargetRetries`` of them on the same target, and only where trying again is
cheap and likely to help (408, 5xx, a reset before any byte), never for silence and never for 429. A caller's own 400
goes back to him, a policy refusal is never routed around, and a context overflow goes only to larger windows. The
configured last resort is asked last, after the kinds of failure that it is configured for: the last follow-up is his.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..config.schema import Failover
from ..errors import AttemptFailed, NotSent, TargetLimited, UpstreamRefused, UpstreamReset, UpstreamSilent
from ..model import Choice
from ..routing.requirements import is_called

CONTEXT = "context_length_exceeded"
NEVER_ROUTED_AROUND = frozenset({"content_policy_violation"})
OPERATORS_FAULT = frozenset({401, 402, 403, 404})
"""Wrong key, no money, wrong model name at the upstream: another target may do."""


class Plan:
    """The choices of one decision as attempts use them up."""

    def __init__(self, choices: Sequence[Choice], failover: Failover) -> None:
        self._first, *others = choices
        fallback = failover.fallback
        self._fallback = fallback
        self._resort = [c for c in others if fallback is not None and is_called(c.target, fallback.target)]
        self._left = [c for c in others if c not in self._resort]
        self._failover = failover
        self._follow_ups = failover.max_retries if failover.enabled else 0
        self._same_target = failover.same_target_retries

    def first(self) -> Choice:
        return self._first

    def after(
        self, choice: Choice, failure: AttemptFailed, usable: Callable[[Choice], bool] = lambda _choice: True
    ) -> Choice | None:
        """The choice that follows ``failure`` on ``choice``; ``None`` when nothing may. ``usable`` says whether a
        target may be asked just now: others may have learned since the decision that it may not."""
        if isinstance(failure, NotSent):
            return self._next(usable) or self._last(failure)
        if self._follow_ups <= 0 or self.is_final(failure):
            return None
        self._follow_ups -= 1
        overflow = isinstance(failure, UpstreamRefused) and failure.code == CONTEXT
        if overflow:
            self._left, self._resort = _larger(self._left, choice), _larger(self._resort, choice)
        resort = self._resort if self._resort_follows(failure) else []
        if not resort or self._follow_ups > 0:
            if self._same_target > 0 and not overflow and self._worth_repeating(failure) and usable(choice):
                self._same_target -= 1
                return choice
            following = self._next(usable)
            if following is not None:
                return following
        return resort.pop(0) if resort else None

    def beside(self, choice: Choice, usable: Callable[[Choice], bool] = lambda _choice: True) -> Choice | None:
        """Who may be asked while ``choice`` still runs: the next one that somebody else runs, and never the last
        resort. ``take`` it to ask it."""
        if self._follow_ups <= 0:
            return None
        owner = choice.target.owner
        return next((other for other in self._left if other.target.owner != owner and usable(other)), None)

    def take(self, choice: Choice) -> None:
        """``choice`` is asked beside another one: that is one of the follow-ups, and it is not asked again."""
        self._left.remove(choice)
        self._follow_ups -= 1

    def _last(self, failure: AttemptFailed) -> Choice | None:
        return self._resort.pop(0) if self._resort and self._resort_follows(failure) else None

    def _next(self, usable: Callable[[Choice], bool]) -> Choice | None:
        while self._left:
            choice = self._left.pop(0)
            if usable(choice):
                return choice
        return None

    def is_final(self, failure: AttemptFailed) -> bool:
        """Whether this failure is the caller's, or the request's time is up: then no other target is bothered."""
        if isinstance(failure, UpstreamSilent) and failure.phase == "total":
            return True
        if not isinstance(failure, UpstreamRefused) or failure.code == CONTEXT:
            return False
        if failure.code in NEVER_ROUTED_AROUND:
            return True
        retried = failure.status in self._failover.retry_codes or failure.status in OPERATORS_FAULT
        retried = retried or failure.status < 400  # a redirect, or success without an answer
        return not retried and not failure.quota

    def _worth_repeating(self, failure: AttemptFailed) -> bool:
        if isinstance(failure, UpstreamRefused):
            worth = failure.status in self._failover.retry_codes and not failure.quota
            return worth and failure.status != 429 and failure.retry_after_s is None
        return isinstance(failure, UpstreamReset)

    def _resort_follows(self, failure: AttemptFailed) -> bool:
        if self._fallback is None:
            return False
        limited = isinstance(failure, UpstreamRefused) and (failure.status == 429 or failure.quota)
        if limited or isinstance(failure, TargetLimited):
            return self._fallback.on_rate_limit
        return self._fallback.on_error


def _larger(choices: Sequence[Choice], than: Choice) -> list[Choice]:
    """Those whose window is larger; one that is not known may be."""
    least = _window(than)
    return [other for other in choices if least is None or (window := _window(other)) is None or window > least]


def _window(choice: Choice) -> int | None:
    return choice.target.context_length if choice.window is None else choice.window
