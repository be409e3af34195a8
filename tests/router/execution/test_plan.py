"""What may follow a failed attempt."""

from __future__ import annotations

import pytest
from msgspec import structs

from llm_router.config.schema import Failover, Fallback
from llm_router.errors import (
    AttemptFailed,
    ConnectFailed,
    NoTarget,
    TargetFull,
    TargetLimited,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamReset,
    UpstreamSilent,
)
from llm_router.execution.plan import Plan
from llm_router.model import Choice, Target


def choice(name: str, context_length: int | None = None) -> Choice:
    target = Target(name=name, kind="provider", owner=name, model="m", context_length=context_length)
    return Choice(target=target, reason="cost_cheapest", usd_per_1k_tokens=None, estimated_usd=None)


A, B, C, D = (choice(name) for name in "abcd")


def refused(status: int, code: str = "x", *, quota: bool = False) -> UpstreamRefused:
    return UpstreamRefused(status, code, "no", quota=quota)


def followed(failures: list[AttemptFailed], failover: Failover | None = None, *choices: Choice) -> list[str]:
    """Who is asked, in order, when the attempts fail with ``failures``."""
    plan = Plan(choices or (A, B, C, D), failover or Failover())
    current = plan.first()
    asked = [current.target.name]
    for failure in failures:
        following = plan.after(current, failure)
        if following is None:
            break
        current = following
        asked.append(current.target.name)
    return asked


SILENT = UpstreamSilent("first_token")


@pytest.mark.parametrize(
    ("failures", "asked"),
    [
        ([ConnectFailed()], "ab"),
        ([SILENT], "ab"),
        ([UpstreamBroken()], "ab"),
        ([refused(429)], "ab"),
        ([refused(401)], "ab"),
        ([refused(404)], "ab"),
        ([refused(429, "insufficient_quota", quota=True)], "ab"),
        ([UpstreamReset()], "aa"),
        ([refused(500)], "aa"),
        ([refused(503)], "aa"),
        ([refused(408)], "aa"),
        ([refused(500), refused(500)], "aab"),
        ([UpstreamReset(), SILENT, SILENT], "aab"),
        ([SILENT, SILENT, SILENT], "abc"),
        ([SILENT, refused(500), SILENT], "abb"),
        ([UpstreamSilent("total")], "a"),
        ([refused(400)], "a"),
        ([refused(413)], "a"),
        ([refused(400, "content_policy_violation")], "a"),
    ],
)
def test_who_is_asked_after_which_failure(failures: list[AttemptFailed], asked: str) -> None:
    assert "".join(followed(failures)) == asked


def test_never_more_attempts_than_configured() -> None:
    for retries in range(5):
        failover = Failover(max_retries=retries, same_target_retries=9)
        assert len(followed([refused(503)] * 20, failover)) == 1 + retries


def test_without_failover_there_is_one_attempt() -> None:
    assert followed([ConnectFailed()], Failover(enabled=False)) == ["a"]


def test_only_configured_statuses_fail_over() -> None:
    assert followed([refused(503)], Failover(retry_codes=(500,))) == ["a"]


def test_context_overflow_goes_only_to_larger_windows() -> None:
    small, same, larger = choice("small", 2048), choice("same", 2048), choice("larger", 8192)
    overflow = refused(400, "context_length_exceeded")
    assert followed([overflow, overflow], Failover(), small, same, larger) == ["small", "larger"]
    assert followed([overflow], Failover(), small, same) == ["small"]


def test_what_the_servers_say_of_their_window_counts_more_than_the_configuration() -> None:
    less, same = structs.replace(choice("less", 8192), window=4096), choice("same", 8192)
    overflow = refused(400, "context_length_exceeded")
    assert followed([overflow, overflow], Failover(), less, same) == ["less", "same"]
    assert followed([overflow], Failover(), same, less) == ["same"]


def test_a_target_never_answers_twice_by_failover() -> None:
    asked = followed([SILENT] * 10, Failover(max_retries=10))
    assert asked == ["a", "b", "c", "d"]


# ---------------------------------------------------------------- the last resort

LIMITED = TargetLimited(NoTarget(429, "rate_limit_exceeded", "wait"))
RATE_LIMITED, QUOTA = refused(429), refused(429, "insufficient_quota", quota=True)


def with_resort(target: str = "d", max_retries: int = 2, **fallback: bool) -> Failover:
    return Failover(max_retries=max_retries, fallback=Fallback(target=target, **fallback))


def test_the_last_follow_up_is_the_last_resorts() -> None:
    assert followed([SILENT] * 9, with_resort()) == ["a", "b", "d"]
    assert followed([SILENT] * 9, with_resort(max_retries=10)) == ["a", "b", "c", "d"]
    assert followed([refused(503)] * 9, with_resort(max_retries=1)) == ["a", "d"], "not the same target again"
    assert followed([SILENT] * 9, with_resort(max_retries=0)) == ["a"]
    assert followed([SILENT] * 9, Failover(enabled=False, fallback=Fallback(target="d"))) == ["a"]


@pytest.mark.parametrize("failure", [RATE_LIMITED, QUOTA])
def test_on_rate_limit_says_whether_it_follows_rate_limits(failure: AttemptFailed) -> None:
    assert followed([failure] * 9, with_resort(on_error=False)) == ["a", "b", "d"]
    assert followed([failure] * 9, with_resort(on_rate_limit=False)) == ["a", "b", "c"]


@pytest.mark.parametrize("failure", [SILENT, ConnectFailed(), UpstreamBroken(), refused(401)])
def test_on_error_says_whether_it_follows_the_rest(failure: AttemptFailed) -> None:
    assert followed([failure] * 9, with_resort(on_rate_limit=False)) == ["a", "b", "d"]
    assert followed([failure] * 9, with_resort(on_error=False)) == ["a", "b", "c"]


def test_it_follows_targets_that_nothing_was_sent_to_as_it_is_told_to() -> None:
    for failure in (LIMITED, TargetFull()):
        assert followed([failure] * 9, with_resort()) == ["a", "b", "c", "d"]
    assert followed([LIMITED] * 9, with_resort(on_rate_limit=False)) == ["a", "b", "c"]
    assert followed([TargetFull()] * 9, with_resort(on_error=False)) == ["a", "b", "c"]


def test_the_last_failure_decides() -> None:
    assert followed([SILENT, RATE_LIMITED], with_resort(on_error=False)) == ["a", "b", "d"]
    assert followed([RATE_LIMITED, SILENT], with_resort(on_error=False)) == ["a", "b", "c"]


def test_a_last_resort_that_is_not_among_the_choices_is_never_asked() -> None:
    assert followed([SILENT] * 9, with_resort("elsewhere", max_retries=10)) == ["a", "b", "c", "d"]


def test_a_last_resort_that_is_the_first_choice_is_asked_first_and_once() -> None:
    assert followed([SILENT] * 9, with_resort("a", max_retries=10)) == ["a", "b", "c", "d"]


def test_the_callers_own_mistake_does_not_reach_the_last_resort_and_a_smaller_window_does_not_help() -> None:
    assert followed([refused(400)], with_resort()) == ["a"]
    overflow = refused(400, "context_length_exceeded")
    small, same, larger = choice("small", 2048), choice("same", 2048), choice("larger", 8192)
    assert followed([overflow], with_resort("same"), small, same) == ["small"]
    assert followed([overflow], with_resort("larger"), small, same, larger) == ["small", "larger"]
