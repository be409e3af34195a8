"""A wall clock that jumps by an hour, either way: breakers, cooling and limits know how long ago something was, not at
what time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.router.gate.surroundings import Clock
from tests.router.routers import Running, providers, running_router
from tests.router.standins import Standins, running_standins

HOUR_S = 3600.0


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


def config(standins: Standins, **openai: Any) -> dict[str, Any]:
    """Everybody is sent to openai first."""
    standins.clear()
    first, *others = providers(standins, "openai", "anthropic")
    failover = {"circuitBreaker": {"failureThreshold": 2}}
    router = {"routingStrategy": "failover", "failover": failover}
    return {"externalProviders": [first | openai, *others], "router": router}


def served_by(router: Running) -> str:
    answer = router.chat()
    assert answer.status_code == 200
    return str(answer.headers["x-llm-router-target"])


def jumped(router: Running, clock: Clock) -> list[str]:
    """Who answers now, an hour later and an hour before."""
    right, seen = clock.now, []
    for clock.now in (right, right + HOUR_S, right - HOUR_S, right):
        seen.append(served_by(router))
    return seen


@pytest.mark.parametrize(
    "fault",
    [{"kind": "status", "status": 503}, {"kind": "rate_limit", "retry_after": "60"}],
    ids=["an open breaker", "cooling"],
)
def test_who_is_left_alone_is_left_alone_no_shorter(standins: Standins, fault: dict[str, Any]) -> None:
    clock = Clock()
    with running_router(config(standins), unix_time=clock) as router:
        assert served_by(router) == "openai"
        standins.openai.fault(**fault)
        for _ in range(2):
            assert served_by(router) == "anthropic"
        standins.openai.clear()
        assert jumped(router, clock) == ["anthropic"] * 4
        assert standins.openai.requests() == []


def test_a_limit_that_is_reached_stays_so(standins: Standins) -> None:
    clock = Clock()
    with running_router(config(standins, rateLimit={"requestsPerMinute": 1}), unix_time=clock) as router:
        assert served_by(router) == "openai"
        assert jumped(router, clock) == ["anthropic"] * 4


def test_who_is_well_is_asked_at_any_time(standins: Standins) -> None:
    """The tests above can fail."""
    clock = Clock()
    with running_router(config(standins), unix_time=clock) as router:
        assert jumped(router, clock) == ["openai"] * 4
