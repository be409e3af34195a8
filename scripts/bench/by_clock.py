"""What breakers, health, limits and decisions do under a clock that is handed in: no sockets, and nothing of it depends
on the machine."""

from __future__ import annotations

import math
import random
from itertools import pairwise, product

from llm_router.admission.window import Window
from llm_router.config.schema import CircuitBreaker, HealthCheck, Router
from llm_router.execution.breaker import Breaker, BreakerState
from llm_router.routing.strategies import STRATEGIES
from llm_router.routing.turns import Turns
from llm_router.signals.health import HealthRecord
from llm_router.signals.polling import jittered
from tests.router.admission.test_window import most_in_any_minute
from tests.router.routing import test_no_leak as fleet
from tests.router.routing.views import facts

SETTINGS = CircuitBreaker()


def p5_breaker(walks: int) -> str:
    """Random outcomes at random moments. Whoever asks obeys the breaker: nobody while it is open, one at a time while
    it is half-open."""
    chance = random.Random(5)
    breakers = [walked(chance) for _ in range(walks)]
    opened = {fails for walk in breakers for fails in walk.failures_before_opening}
    closed = {probes for walk in breakers for probes in walk.probes_before_closing}
    longest_s = max(walk.longest_open_s for walk in breakers)
    return (
        f"{walks} walks of 200 outcomes: opened after {spread(opened)} failures in a row, closed after "
        f"{spread(closed)} good probes, open for {longest_s:.0f} s at most"
    )


def spread(numbers: set[int]) -> str:
    return " to ".join(str(number) for number in sorted({min(numbers), max(numbers)}))


class Walk:
    """One breaker's life, and what it took to open and to close it."""

    def __init__(self, chance: random.Random) -> None:
        self.breaker = Breaker(SETTINGS, chance.random)
        self.now = 0.0
        self.failures_before_opening: list[int] = []
        self.probes_before_closing: list[int] = []
        self.longest_open_s = 0.0
        self._failures = self._probes = 0

    def outcome(self, *, failed: bool) -> None:
        before = self.breaker.state(self.now)
        (self.breaker.failed if failed else self.breaker.succeeded)(self.now, self.now)
        after = self.breaker.state(self.now)
        self._failures = self._failures + 1 if failed else 0
        self._probes = self._probes + 1 if before == "half_open" and not failed else 0
        if after == "open":
            self._opened(before)
        elif before == "half_open" and after == "closed":
            self.probes_before_closing.append(self._probes)

    def _opened(self, before: BreakerState) -> None:
        if before == "closed":
            self.failures_before_opening.append(self._failures)
        retry_at, _ = self.breaker.retry_at()
        self.longest_open_s = max(self.longest_open_s, retry_at - self.now)
        self.now = retry_at
        self._failures = 0


def walked(chance: random.Random) -> Walk:
    walk = Walk(chance)
    broken = False
    for _ in range(200):
        walk.now += chance.uniform(0, 40)  # too far apart for their share to say anything
        broken ^= chance.random() < 0.1
        walk.outcome(failed=chance.random() < (0.95 if broken else 0.1))
    return walk


def p8_health(hours: int) -> str:
    """Detection by checks alone at the default interval; and a target half of whose answers are errors."""
    chance = random.Random(8)
    interval_s, timeout_s = float(Router().health_check_interval), float(HealthCheck().timeout)
    refused_s, failing_s, silent_s = (
        max(noticed_after_s(chance, interval_s, takes_s, definite=definite) for _ in range(10_000))
        for takes_s, definite in ((0.0, True), (0.0, False), (timeout_s, False))
    )
    opened = openings(chance, hours * 3600.0)
    gaps_s = [later - earlier for earlier, later in pairwise(opened)]
    return (
        f"unhealthy within {refused_s:.0f} s where nobody listens, {failing_s:.0f} s of errors and {silent_s:.0f} s of "
        f"silence, whenever it begins; with every second answer an error the breaker opens "
        f"{len(opened) / hours / 60:.2f} times a minute, not twice within {min(gaps_s):.0f} s, in {hours} hours at 10 "
        "requests a second"
    )


def noticed_after_s(chance: random.Random, interval_s: float, takes_s: float, *, definite: bool) -> float:
    """From a good check, right after which the target fails, to the end of the one that makes it unhealthy;
    ``takes_s`` is what a failed one takes."""
    record = HealthRecord()
    record.passed(1.0, 0.0)
    began_s = took_s = 0.0
    while record.report.status == "healthy":
        began_s += max(took_s, jittered(record.pace_s(interval_s), chance.uniform))
        took_s = takes_s
        record.failed("", 0.0, definite=definite)
    return began_s + took_s


def openings(chance: random.Random, seconds: float) -> list[float]:
    """The moments in which a breaker opens whose target fails every second time; it is asked ten times a second while
    it is closed, and once at a time while it is half-open."""
    breaker, now, opened = Breaker(SETTINGS, chance.random), 0.0, []
    while now < seconds:
        now += 0.1
        before = breaker.state(now)
        if before == "open":
            now = breaker.retry_at()[0]
            continue
        (breaker.failed if chance.random() < 0.5 else breaker.succeeded)(now, now)
        if before == "closed" and breaker.state(now) == "open":
            opened.append(now)
    return opened


def p11_window(walks: int) -> str:
    """Bursts and lulls against limits of many sizes; and a caller who never lets go."""
    chance, above, admitted = random.Random(11), 0, 0
    for _ in range(walks):
        limit = chance.randrange(1, 200)
        taken = admitted_of(chance, limit)
        above += most_in_any_minute(taken) > limit
        admitted += len(taken)
    window, used = Window(), 0
    for tick in range(20 * 60 * 20):
        if not window.wait_s(1, 600, tick / 20):
            window.take(1, tick / 20)
            used += 1
    return (
        f"{above} of {walks} walks had a minute above the limit, of {admitted} admissions; "
        f"{100 * used / (600 * 20):.1f} % of 600 a minute used under pressure"
    )


def admitted_of(chance: random.Random, limit: int) -> list[tuple[float, int]]:
    window, now, admitted = Window(), chance.uniform(0, 1e6), []
    for _ in range(300):
        now += chance.choice((0.0, chance.uniform(0, 0.5), chance.uniform(0, 45)))
        amount = chance.randint(1, math.ceil(limit / 4))
        if not window.wait_s(amount, limit, now):
            window.take(amount, now)
            admitted.append((now, amount))
    return admitted


def p18_requirements() -> str:
    """Every combination that ``test_no_leak`` has, counted instead of asserted."""
    combined = wrong = 0
    for strategy in STRATEGIES:
        turns = Turns()
        for tags, region in product(fleet.TAG_SETS, fleet.REGIONS):
            asked = facts("gpt-4", compliance=tags, region=region, strategy=strategy, client_region="de")
            for _, fallback, policy in fleet.POLICIES:
                decision = fleet.decided(asked, policy, turns)
                combined += len(fleet.FLEET)
                if decision is None:
                    continue
                # Those who are not well may be asked when nobody else is left; who breaks a requirement never.
                permitted = {v.target.name for v, _ in fleet.FLEET if fleet.allowed(v, True, tags, region, policy)}
                wrong += len(fleet.attempted(decision, fallback) - permitted)
    return f"{wrong} targets asked that break a requirement, in {combined} combinations"
