"""A live price: one source, asked again and again, judged each time, its last good figure kept.

The age is that of the last answer that was believed, taken by a monotonic clock: a wall clock that jumps makes no price
look fresh and none look old.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable

from ...telemetry.trouble import Trouble
from .base import PriceSource, PriceUnknown, Quote, Tally

ANSWER_S = 120.0
"""For a whole answer of many pages."""
FIRST_RETRY_S, LONGEST_RETRY_S = 10.0, 3600.0

LEAST_USD, MOST_USD = 0.0005, 1000.0
"""No cloud rents a whole machine for less, or one for more, per hour."""
ABSURD_FACTOR = 20.0
"""Spot prices go down to a tenth of the on-demand price; more than twice as far from what is known is no price."""

logger = logging.getLogger("llm_router.exporter")


def absurdity(usd_per_hour: float, known: Iterable[float] = ()) -> str | None:
    """Why this cannot be what a node costs, given what is known of it; ``None`` where it can."""
    if not math.isfinite(usd_per_hour) or usd_per_hour <= 0:
        return f"{usd_per_hour!r} USD per hour is no price"
    if not LEAST_USD <= usd_per_hour <= MOST_USD:
        return f"{usd_per_hour:g} USD per hour is outside {LEAST_USD:g} to {MOST_USD:g}"
    for usd in known:
        if not usd / ABSURD_FACTOR <= usd_per_hour <= usd * ABSURD_FACTOR:
            return f"{usd_per_hour:g} USD per hour is more than {ABSURD_FACTOR:g} times off the known {usd:g}"
    return None


class LivePrice:
    """Asks ``source`` every ``refresh_s``; after a failure sooner, later each time, and when the API says.

    Answers are judged by ``reference``, what the node roughly costs, where that is known, and by the last good figure.
    That one is given up after ``max_age_s``, so that the next source's turn comes, and a change that was not believed
    is. ``clock`` is monotonic seconds.
    """

    def __init__(
        self,
        source: PriceSource,
        *,
        refresh_s: float,
        max_age_s: float,
        reference: float | None,
        clock: Callable[[], float],
        tally: Tally,
    ) -> None:
        self._source, self._clock, self._tally = source, clock, tally
        self._refresh_s, self._max_age_s = refresh_s, max_age_s
        self._reference = reference
        self._good: tuple[float, float] | None = None
        self._failures = 0
        self._trouble = Trouble(logger, f"{source.label} says what a node costs again")

    def quote(self) -> Quote | None:
        if self._good is None:
            return None
        usd_per_hour, heard_at = self._good
        age_s = self._clock() - heard_at
        if age_s > self._max_age_s:
            return None
        return Quote(usd_per_hour=usd_per_hour, source=self._source.label, age_s=age_s)

    async def refresh(self) -> float:
        """Ask once; the seconds after which to ask again."""
        try:
            async with asyncio.timeout(ANSWER_S):
                usd_per_hour = await self._source.usd_per_hour()
        except PriceUnknown as unknown:
            return self._failed("failed", str(unknown), unknown.retry_after_s)
        except TimeoutError:
            return self._failed("failed", f"no whole answer within {ANSWER_S:g} s", None)
        except Exception as error:
            # A bug in one source must not end all prices: it is logged, and asked again.
            logger.exception("asking %s for a price failed", self._source.label)
            return self._failed("failed", repr(error), None)
        kept = self.quote()
        known = (self._reference, None if kept is None else kept.usd_per_hour)
        fault = absurdity(usd_per_hour, (usd for usd in known if usd is not None))
        if fault is not None:
            return self._failed("refused", fault, None)
        self._good = usd_per_hour, self._clock()
        self._failures = 0
        self._trouble.ends()
        self._tally(self._source.label, "accepted")
        return self._refresh_s

    async def refresh_forever(self) -> None:
        while True:
            wait_s = await self.refresh()
            await asyncio.sleep(wait_s)

    async def aclose(self) -> None:
        await self._source.aclose()

    def _failed(self, result: str, why: str, retry_after_s: float | None) -> float:
        self._tally(self._source.label, result)
        self._trouble.is_(f"no new node price from {self._source.label}: {why}")
        # Never more often than when all is well, unless that is rarely.
        wait_s = min(FIRST_RETRY_S * 2.0**self._failures, self._refresh_s)
        self._failures = min(self._failures + 1, 20)
        return min(max(wait_s, retry_after_s or 0.0), LONGEST_RETRY_S)
