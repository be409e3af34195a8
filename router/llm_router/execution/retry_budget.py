"""How many requests may be in a follow-up attempt at once: 3 + 20 % of the requests in flight.

When everything fails, clients retry too; without a budget every layer multiplies the load of an outage. The form is
Envoy's (``retry_budget``: ``budget_percent`` 20, ``min_retry_concurrency`` 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHARE = 0.20
LEAST = 3


class RetryBudget:
    def __init__(self) -> None:
        self._requests = self._following_up = 0

    @contextmanager
    def request(self) -> Iterator[Callable[[], bool]]:
        """Counts a request in flight. Yields a function that says whether it may make a follow-up; once it may, it
        holds its place until it ends."""
        self._requests += 1
        holds = False

        def may_follow_up() -> bool:
            nonlocal holds
            if not holds and self._following_up < LEAST + SHARE * self._requests:
                holds = True
                self._following_up += 1
            return holds

        try:
            yield may_follow_up
        finally:
            self._requests -= 1
            self._following_up -= holds
