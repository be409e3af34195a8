"""What the caller is told when nobody answered: the operator's faults are never his."""

from __future__ import annotations

import pytest

from llm_router.errors import (
    AttemptFailed,
    ClientError,
    ConnectFailed,
    NoTarget,
    RouterFull,
    TargetFull,
    TargetLimited,
    TargetUnsuited,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamSilent,
)
from llm_router.execution.exchange import Tried
from llm_router.execution.verdict import verdict
from llm_router.model import Choice, Target


def trail(*failures: AttemptFailed) -> list[Tried]:
    target = Target(name="openai", kind="provider", owner="openai", model="m")
    choice = Choice(target=target, reason="cost_cheapest", usd_per_1k_tokens=None, estimated_usd=None)
    return [Tried(choice, failure.reason, None, failure) for failure in failures]


def refused(status: int, code: str = "x", *, retry_after_s: float | None = None, quota: bool = False) -> AttemptFailed:
    return UpstreamRefused(status, code, "the key sk-canary is wrong", retry_after_s=retry_after_s, quota=quota)


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (refused(401), 502, "upstream_auth_failed"),
        (refused(403), 502, "upstream_auth_failed"),
        (refused(404), 502, "upstream_model_not_found"),
        (refused(429, quota=True), 429, "insufficient_quota"),
        (refused(402), 429, "insufficient_quota"),
        (refused(500), 502, "upstream_error"),
        (refused(503), 503, "upstream_overloaded"),
        (refused(529), 503, "upstream_overloaded"),
        (refused(307), 502, "upstream_error"),
        (ConnectFailed(), 502, "upstream_unavailable"),
        (UpstreamBroken(), 502, "upstream_unavailable"),
        (UpstreamSilent("total"), 504, "upstream_timeout"),
        (TargetFull(), 503, "overloaded"),
        (RouterFull(), 503, "overloaded"),
    ],
)
def test_upstream_failures_in_the_routers_terms(failure: AttemptFailed, status: int, code: str) -> None:
    error = verdict(trail(failure))
    assert isinstance(error, NoTarget)
    assert (error.status, error.code) == (status, code)
    assert "sk-canary" not in error.message


def test_the_callers_own_mistake_goes_back_to_him_with_its_code() -> None:
    error = verdict(trail(UpstreamRefused(400, "context_length_exceeded", "too long", param="messages")))
    assert isinstance(error, ClientError)
    assert (error.status, error.code, error.param) == (400, "context_length_exceeded", "messages")


def test_what_nobody_can_express_is_a_400_that_names_the_field() -> None:
    unsuited = TargetUnsuited(ClientError(400, "unsupported_field", "no", param="logit_bias"))
    assert verdict(trail(unsuited)) is unsuited.error


def limited(status: int, retry_after_s: float | None) -> TargetLimited:
    return TargetLimited(NoTarget(status, "x", "at a limit", retry_after_s=retry_after_s))


def test_where_all_are_at_a_limit_the_first_to_have_room_again_speaks() -> None:
    slow, soon, money, never = limited(429, 30), limited(429, 4), limited(402, 1), limited(429, None)
    assert verdict(trail(slow, soon, money, never)) is soon.error
    assert verdict(trail(never, money)) is never.error
    assert verdict(trail(money)) is money.error


def test_what_was_really_sent_speaks_before_a_limit() -> None:
    error = verdict(trail(ConnectFailed(), limited(429, 4)))
    assert isinstance(error, NoTarget)
    assert error.status == 502


def test_the_shortest_wait_of_all_goes_out() -> None:
    error = verdict(trail(refused(429, retry_after_s=30), refused(429, retry_after_s=4), refused(429)))
    assert isinstance(error, NoTarget)
    assert error.retry_after_s == 4
