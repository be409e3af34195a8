"""When nobody is left, status and code say what would help."""

from __future__ import annotations

import math
from typing import Any

import pytest

from llm_router.errors import NoTarget
from llm_router.model import Facts, Limited, LimitUnit, View
from llm_router.routing.engine import Policy, decide
from llm_router.routing.strategies import STRATEGIES
from tests.router.routing.views import NOW, cluster, facts, provider, snapshot


def refused(asked: Facts, *views: View, policy: Policy | None = None) -> NoTarget:
    with pytest.raises(NoTarget) as caught:
        decide(asked, snapshot(*views), policy or Policy())
    return caught.value


def outcome(error: NoTarget) -> tuple[int, str]:
    return error.status, error.code


AWS = cluster("aws", any_model=False, aliases=frozenset({"fast"}))
OPENAI = provider("openai", any_model=False)


def test_a_model_that_nobody_answers_for_is_404_and_lists_those_that_are_known() -> None:
    error = refused(facts("gpt-9"), AWS, OPENAI)
    assert outcome(error) == (404, "model_not_found")
    assert error.message == "No target answers for the model 'gpt-9'; known are auto, cheap, fast, openai-large, tiny."
    assert {rejection.target for rejection in error.rejected} == {"aws", "openai"}


def test_an_exact_model_lists_no_aliases_and_no_unknown_models() -> None:
    error = refused(facts("gpt-9", exact_model=True), AWS, cluster("discovering", model="default"))
    assert error.message == "No target answers as exactly the model 'gpt-9'; known are auto, tiny."


def test_a_key_learns_only_of_models_that_it_covers() -> None:
    error = refused(facts("gpt-9", allowed_models=frozenset({"tiny"})), AWS, OPENAI)
    assert error.message.endswith("known are tiny.")


def test_a_pinned_target_that_does_not_answer_for_the_model_is_404() -> None:
    error = refused(facts("tiny", target="openai"), AWS, OPENAI)
    assert outcome(error) == (404, "model_not_found")
    assert "The target 'openai' does not answer for the model 'tiny'" in error.message


def test_long_lists_are_cut() -> None:
    fleet = [provider(f"p{number:02}", any_model=False) for number in range(30)]
    assert refused(facts("gpt-9"), *fleet).message.endswith("p16-large and 13 more.")


def test_an_unknown_pinned_target_is_400_and_lists_those_of_the_key() -> None:
    error = refused(facts(target="azure"), AWS, OPENAI)
    assert outcome(error) == (400, "unknown_target")
    assert error.message == "There is no target 'azure'; known are aws, openai."
    assert "openai" not in refused(facts(target="azure", allowed_targets=frozenset({"aws"})), AWS, OPENAI).message


def test_an_unknown_strategy_is_400() -> None:
    error = refused(facts(strategy="cheapest" + "!" * 100), AWS)
    assert outcome(error) == (400, "unknown_strategy")
    assert f"known are {', '.join(STRATEGIES)}." in error.message
    assert "!" * 60 not in error.message


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        ({"allowed_models": frozenset({"tiny"})}, "model_not_allowed"),
        ({"allowed_targets": frozenset({"gcp"})}, "target_not_allowed"),
    ],
)
def test_what_the_key_does_not_cover_is_403_even_when_down(scope: dict[str, Any], code: str) -> None:
    assert outcome(refused(facts("openai-large", **scope), OPENAI)) == (403, code)
    down = provider("openai", health="unhealthy")
    assert outcome(refused(facts("openai-large", **scope), down)) == (403, code)


@pytest.mark.parametrize(
    "demand",
    [
        {"compliance": frozenset({"hipaa"})},
        {"region": "eu"},
        {"max_usd_per_1k_tokens": 1e-9},
        {"max_latency_ms": 1},
    ],
)
def test_a_demand_that_nobody_meets_is_503_and_nothing_leaves(demand: dict[str, Any]) -> None:
    error = refused(facts(**demand), cluster("aws", p95_latency_ms=10.0), provider("openai", p95_latency_ms=10.0))
    assert outcome(error) == (503, "no_compliant_target")
    assert "nothing was sent" in error.message


def test_a_demand_is_broken_before_an_ability_is_missing() -> None:
    error = refused(facts(region="eu", input_tokens=10_000), cluster("eu", region="eu", context_length=10), OPENAI)
    assert outcome(error) == (503, "no_compliant_target")


def test_too_long_for_all_is_400_with_the_largest_window() -> None:
    error = refused(facts(input_tokens=10_000), cluster("a", context_length=2048), cluster("b", context_length=4096))
    assert outcome(error) == (400, "context_length_exceeded")
    assert "4096 tokens" in error.message


def test_a_prompt_that_is_too_long_is_told_so_however_complex_it_is() -> None:
    """What a client can mend comes first, and a window in which others could not do the task is no help."""
    simple = frozenset({"simple-tasks"})
    small = cluster("small", context_length=50, capabilities=simple)
    error = refused(facts(complexity=0.9), small, cluster("large", context_length=4096, capabilities=simple))
    assert outcome(error) == (400, "context_length_exceeded")
    assert "the largest window that may be used holds 50 tokens" in error.message
    assert [each.code for each in error.rejected] == ["context_length_exceeded", "capability"]


def test_too_complex_for_all_is_400() -> None:
    simple = cluster("a", capabilities=frozenset({"simple-tasks"}))
    assert outcome(refused(facts(complexity=0.9), simple)) == (400, "no_capable_target")


def test_a_feature_that_nobody_has_is_400_and_named() -> None:
    policy = Policy(unsupported={"llama.cpp": frozenset({"logprobs"})})
    error = refused(facts(needs=frozenset({"logprobs"})), cluster("a"), policy=policy)
    assert outcome(error) == (400, "unsupported_parameter")
    assert "logprobs" in error.message


@pytest.mark.parametrize("signals", [{"state": "starting"}, {"health": "unhealthy"}, {"probing": True}])
def test_all_down_is_503(signals: dict[str, Any]) -> None:
    error = refused(facts(), cluster("a", **signals), cluster("b", region="nowhere", **signals))
    assert (*outcome(error), error.retry_after_s) == (503, "no_healthy_target", None)


def test_retry_after_is_the_earliest_return() -> None:
    resting = cluster("a", retry_at=NOW + 9, retry_reason="circuit_open", failed_at=NOW)
    cooling = provider("p", retry_at=NOW + 4, retry_reason="cooling")
    error = refused(facts(), resting, cooling, cluster("c", health="unhealthy"))
    assert (*outcome(error), error.retry_after_s) == (503, "no_healthy_target", 4.0)


def test_when_all_that_may_answer_are_rate_limited_it_is_429() -> None:
    cooling = [cluster(name, retry_at=NOW + pause, retry_reason="cooling") for name, pause in (("a", 7), ("b", 3))]
    error = refused(facts(region=""), *cooling, provider("elsewhere", region="us"))
    assert (*outcome(error), error.retry_after_s) == (429, "rate_limit_exceeded", 3.0)


def at(unit: LimitUnit, wait_s: float, until_s: float = 1.0) -> tuple[Limited, ...]:
    return (Limited("a limit", unit, 1, NOW + until_s, NOW + wait_s),)


def test_at_a_configured_limit_it_is_429_with_the_honest_wait() -> None:
    full = [provider("a", limited=at("tokens", 40.0)), provider("b", limited=at("requests", 25.0))]
    error = refused(facts(), *full, provider("c", limited=at("nano_usd", 3000.0)))
    assert (*outcome(error), error.retry_after_s) == (429, "rate_limit_exceeded", 25.0)


def test_where_all_budgets_are_used_up_it_is_402_until_the_first_begins_anew() -> None:
    poor = [provider(name, limited=at("nano_usd", wait_s)) for name, wait_s in (("a", 90.0), ("b", 60.0))]
    error = refused(facts(), *poor)
    assert (*outcome(error), error.retry_after_s) == (402, "budget_exceeded", 60.0)


def test_what_never_fits_has_no_wait() -> None:
    error = refused(facts(), provider("a", limited=at("tokens", math.inf, math.inf)))
    assert (*outcome(error), error.retry_after_s) == (429, "rate_limit_exceeded", None)


def test_one_that_only_has_to_recover_counts_before_those_that_never_could() -> None:
    sick = cluster("eu", region="eu", health="unhealthy")
    assert outcome(refused(facts(region="eu"), sick, provider("us", region="us"))) == (503, "no_healthy_target")


def test_without_any_target_every_model_is_unknown() -> None:
    assert outcome(refused(facts())) == (404, "model_not_found")
