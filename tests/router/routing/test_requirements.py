"""Each requirement rejects what breaks it, with a stable code, and lets pass what does not."""

from __future__ import annotations

from typing import Any

import pytest

from llm_router.model import ClusterCost, Facts, Limited, LimitUnit, Rejection, View
from llm_router.routing.complexity import COMPLEX
from llm_router.routing.policy import Policy
from llm_router.routing.requirements import (
    ABLE,
    DEMANDS,
    LASTING,
    PASSING,
    RULE,
    SCOPES,
    TROUBLE,
    UNAVAILABLE,
    Question,
    checks_for,
    is_called,
    is_well,
    reject,
)
from tests.router.routing.views import NOW, cluster, facts, provider, snapshot

POLICY = Policy(unsupported={"anthropic": frozenset({"n", "logprobs"})})


def rejection(view: View, asked: Facts, policy: Policy = POLICY) -> Rejection | None:
    return reject(view, Question(asked, snapshot(view), policy))


def code(view: View, asked: Facts, policy: Policy = POLICY) -> str | None:
    found = rejection(view, asked, policy)
    return None if found is None else found.code


def test_a_healthy_target_without_demands_is_allowed() -> None:
    assert rejection(cluster("aws"), facts()) is None
    assert rejection(provider("openai"), facts("gpt-4")) is None


@pytest.mark.parametrize(
    ("asked", "view", "allowed"),
    [
        ("auto", provider("p", any_model=False), True),
        ("p-large", provider("p", any_model=False), True),
        ("fast", provider("p", any_model=False, aliases=frozenset({"fast"})), True),
        ("gpt-4", provider("p", any_model=True), True),
        ("gpt-4", provider("p", any_model=False), False),
        ("p", provider("p", any_model=False), False),
    ],
)
def test_who_answers_for_a_model_name(asked: str, view: View, allowed: bool) -> None:
    assert code(view, facts(asked)) == (None if allowed else "model_not_found")


@pytest.mark.parametrize(("asked", "allowed"), [("tiny", True), ("auto", True), ("fast", False), ("gpt-4", False)])
def test_an_exact_model_forbids_substitution(asked: str, allowed: bool) -> None:
    view = cluster("aws", aliases=frozenset({"fast"}))
    assert (code(view, facts(asked, exact_model=True)) is None) is allowed


@pytest.mark.parametrize("asked", ["fast", "cheap"])
def test_a_shortcut_is_accepted_by_everybody_unless_the_model_must_be_exact(asked: str) -> None:
    view = provider("p", any_model=False)
    assert code(view, facts(asked)) is None
    assert code(view, facts(asked, exact_model=True)) == "model_not_found"
    assert code(view, facts(asked), Policy(shortcuts={})) == "model_not_found"
    assert code(view, facts(asked, allowed_models=frozenset({"gpt-4"}))) == "model_not_allowed"
    assert code(view, facts(asked, allowed_models=frozenset({"p-large"}))) is None


def test_who_cannot_stream_is_not_asked_for_a_stream() -> None:
    policy = Policy(unsupported={"gemini": frozenset({"stream"})})
    assert rejection(provider("p", wire="gemini"), facts(stream=True), policy) == Rejection(
        "p", "unsupported", "cannot take stream"
    )
    assert code(provider("p", wire="gemini"), facts(), policy) is None
    assert code(provider("p", wire="openai"), facts(stream=True), policy) is None


def test_a_prompt_that_takes_too_long_to_read_breaks_a_latency_limit() -> None:
    slow = cluster("a", prefill_tokens_per_second=100.0)
    assert code(slow, facts(max_latency_ms=1000, input_tokens=100)) is None
    assert rejection(slow, facts(max_latency_ms=1000, input_tokens=101)) == Rejection(
        "a", "latency", "reading the prompt takes 1010 ms, at most 1000 allowed"
    )


def test_the_default_route_lets_its_target_answer_with_its_own_model() -> None:
    view = provider("p", any_model=False)
    assert rejection(view, facts("gpt-9"), Policy(default_target="p")) is None
    assert rejection(view, facts("gpt-9"), Policy(default_target="q")) == Rejection(
        "p", "model_not_found", "does not answer for 'gpt-9'"
    )


@pytest.mark.parametrize(
    ("asked", "view", "expected"),
    [
        ("gpt-4", cluster("aws"), None),
        ("gpt-5", cluster("aws"), "model_not_allowed"),
        ("auto", cluster("aws"), None),  # it accepts every name, those of the key too
        ("auto", provider("p", any_model=False), "model_not_allowed"),
        ("auto", provider("p", any_model=False, model="gpt-4"), None),
        ("auto", provider("p", any_model=False, aliases=frozenset({"gpt-4"})), None),
    ],
)
def test_a_key_covers_the_names_that_it_lists(asked: str, view: View, expected: str | None) -> None:
    assert code(view, facts(asked, allowed_models=frozenset({"gpt-4"}))) == expected


@pytest.mark.parametrize(
    ("covered", "expected"),
    [({"aws"}, None), ({"aws/tiny"}, None), ({"gcp"}, "target_not_allowed"), ((), "target_not_allowed")],
)
def test_a_key_covers_targets_by_name_or_owner(covered: Any, expected: str | None) -> None:
    view = cluster("aws/tiny", owner="aws")
    assert code(view, facts(allowed_targets=frozenset(covered))) == expected


def test_a_pinned_target_is_meant_by_name_or_owner() -> None:
    view = cluster("aws/tiny", owner="aws")
    assert code(view, facts(target="aws")) is None
    assert code(view, facts(target="aws/tiny")) is None
    assert code(view, facts(target="aws/big")) == "not_asked_for"
    assert is_called(view.target, "aws")


def test_compliance_needs_every_tag() -> None:
    asked = facts(compliance=frozenset({"hipaa", "gdpr"}))
    assert code(cluster("a", compliance=frozenset({"hipaa", "gdpr", "soc2"})), asked) is None
    assert rejection(cluster("a", compliance=frozenset({"hipaa"})), asked) == Rejection("a", "compliance", "lacks gdpr")
    assert code(provider("p"), asked) == "compliance"


@pytest.mark.parametrize(
    ("region", "allowed"), [("eu-west-1", True), ("eu-west-10", False), ("eu", False), ("", False)]
)
def test_residency_is_that_region_and_no_other(region: str, allowed: bool) -> None:
    assert (code(cluster("a", region=region), facts(region="eu-west-1")) is None) is allowed


@pytest.mark.parametrize(
    ("required", "region", "allowed"),
    [
        ("eu", "eu-west-1", True),
        ("eu", "europe-west1", True),
        ("eu", "westeurope", True),
        ("eu", "eu", True),
        ("eu", "de", True),
        ("eu", "eu-west-2", False),  # London
        ("eu", "europe-west6", False),  # Zurich
        ("eu", "europe", False),
        ("eu", "us", False),
        ("eu", "nowhere-known", False),
        ("de", "eu-central-1", True),
        ("de", "eu", False),
        ("uk", "ukwest", True),
        ("apac", "ap-southeast-2", True),
        ("us", "us", True),
        ("us", "us-gov-west-1", True),
        ("us", "northamerica-northeast1", False),
        ("rack-7", "rack-7", True),
    ],
)
def test_a_family_or_a_country_is_met_by_every_region_that_lies_in_it(
    required: str, region: str, allowed: bool
) -> None:
    assert (code(cluster("a", region=region), facts(region=required)) is None) is allowed


def test_a_wire_that_cannot_express_a_need_is_out() -> None:
    asked = facts(needs=frozenset({"tools", "n"}))
    assert code(provider("p", wire="openai"), asked) is None
    assert rejection(provider("p", wire="anthropic"), asked) == Rejection("p", "unsupported", "cannot take n")


def test_pictures_go_only_to_clusters_that_declare_them() -> None:
    asked = facts(needs=frozenset({"vision"}))
    assert code(cluster("a"), asked) == "unsupported"
    assert code(cluster("a", capabilities=frozenset({"vision"})), asked) is None
    assert code(provider("p"), asked) is None


@pytest.mark.parametrize(
    ("capabilities", "complexity", "allowed"),
    [
        ({"simple-tasks"}, 0.49, True),
        ({"simple-tasks"}, 0.5, False),
        ({"simple-tasks", "complex-tasks"}, 0.9, True),
        ({"complex-tasks"}, 0.9, True),
        (set(), 0.9, True),
    ],
)
def test_simple_clusters_refuse_complex_tasks(capabilities: set[str], complexity: float, allowed: bool) -> None:
    view = cluster("a", capabilities=frozenset(capabilities))
    assert code(view, facts(complexity=complexity)) == (None if allowed else "capability")


@pytest.mark.parametrize("stated", [4096, None])
def test_where_servers_give_less_than_is_configured_that_is_the_window(stated: int | None) -> None:
    view = cluster("a", context_length=stated, window=2048)
    assert code(view, facts(input_tokens=100, max_tokens=1948)) is None
    assert code(view, facts(input_tokens=100, max_tokens=1949)) == "context_length_exceeded"


@pytest.mark.parametrize(
    ("window", "max_tokens", "allowed"),
    [(2048, 1948, True), (2048, 1949, False), (356, None, True), (355, None, False), (None, 10**9, True)],
)
def test_prompt_and_answer_must_fit_the_window(window: int | None, max_tokens: int | None, allowed: bool) -> None:
    asked = facts(input_tokens=100, max_tokens=max_tokens, expected_output_tokens=256)
    assert code(cluster("a", context_length=window), asked) == (None if allowed else "context_length_exceeded")


@pytest.mark.parametrize(
    ("view", "allowed"),
    [
        (cluster("a", 0.002), True),
        (cluster("a", 0.0021), False),
        (cluster("a", None), False),
        (cluster("a", cost=None), False),
        (provider("p", 0.001), True),
        (provider("p", 0.003), False),
        (provider("p", None), False),
    ],
)
def test_a_cost_limit_fails_closed(view: View, allowed: bool) -> None:
    assert code(view, facts(max_usd_per_1k_tokens=0.002)) == (None if allowed else "cost")


def test_the_held_cost_is_what_a_limit_compares() -> None:
    view = cluster("a", cost=ClusterCost(capacity=0.001, decision=0.003))
    assert code(view, facts(max_usd_per_1k_tokens=0.002)) == "cost"


def test_never_leave_means_never() -> None:
    policy = Policy(enable_external_fallback=False)
    assert code(provider("p"), facts(), policy) == "external_disabled"
    assert code(cluster("a"), facts(), policy) is None


@pytest.mark.parametrize(("p95_ms", "allowed"), [(None, True), (500.0, True), (501.0, False)])
def test_a_latency_limit_rejects_what_is_known_to_be_slower(p95_ms: float | None, allowed: bool) -> None:
    assert code(cluster("a", p95_latency_ms=p95_ms), facts(max_latency_ms=500)) == (None if allowed else "latency")


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ({"state": "zero"}, "state"),
        ({"state": "starting"}, "state"),
        ({"state": "draining"}, "state"),
        ({"state": "down"}, "state"),
        ({"health": "unhealthy"}, "unhealthy"),
        ({"health": "unknown"}, None),
        ({"retry_at": NOW + 1, "retry_reason": "cooling"}, "cooling"),
        ({"retry_at": NOW + 1, "retry_reason": "circuit_open"}, "breaker_open"),
        ({"retry_at": NOW, "retry_reason": "cooling"}, None),
        ({"retry_at": NOW, "retry_reason": "circuit_open"}, None),
        ({"retry_at": NOW - 1, "probing": True}, "breaker_open"),
    ],
)
def test_how_it_is_doing(signals: dict[str, Any], expected: str | None) -> None:
    assert code(cluster("a", **signals), facts()) == expected
    assert code(provider("p", **signals), facts()) == expected


def at(unit: LimitUnit, amount: int, until: float = NOW + 5) -> tuple[Limited, ...]:
    return (Limited("a limit", unit, amount, until, until),)


@pytest.mark.parametrize(
    ("limited", "expected"),
    [
        (at("requests", 1), "rate_limited"),
        (at("slots", 1), "rate_limited"),
        (at("requests", 2), None),
        (at("requests", 1, NOW), None),
        (at("tokens", 300), "rate_limited"),
        (at("tokens", 301), None),
        (at("tokens", 301) + at("requests", 1), "rate_limited"),
        (at("nano_usd", 1_500_000), "budget_exceeded"),
        (at("nano_usd", 1_500_001), None),
        (at("nano_usd", 1), "budget_exceeded"),
        (at("nano_usd", 1, NOW), None),
    ],
)
def test_at_a_limit_is_who_cannot_take_this_request(limited: tuple[Limited, ...], expected: str | None) -> None:
    """100 tokens in, at most 2 × 100 out, at 0.005 USD per 1K."""
    asked = facts(input_tokens=100, max_tokens=100, answers=2)
    assert code(provider("p", 0.005, limited=limited), asked) == expected


def test_a_budget_rules_out_who_has_no_price() -> None:
    spent = at("nano_usd", 10**15)
    assert code(provider("p", None, limited=spent), facts()) == "budget_exceeded"
    assert code(provider("p", None), facts(priced=True)) == "cost"
    assert code(cluster("a", None), facts(priced=True)) == "cost"
    assert code(provider("p", 0.005), facts(priced=True)) is None


WELL: dict[str, Any] = {"state": "up", "health": "healthy", "retry_at": NOW}


@pytest.mark.parametrize(
    ("signals", "well"),
    [
        ({}, True),
        ({"health": "unknown"}, True),
        ({"state": "starting"}, False),
        ({"health": "unhealthy"}, False),
        ({"retry_at": NOW + 1}, False),
        ({"probing": True}, False),
        ({"limited": at("requests", 10)}, False),
    ],
)
def test_well_is_who_has_no_trouble_at_all(signals: dict[str, Any], well: bool) -> None:
    view = cluster("a", **WELL | signals)
    assert is_well(view, NOW) is well
    assert not well or code(view, facts()) not in TROUBLE


@pytest.mark.parametrize(
    ("asked", "policy", "routed"),
    [
        (facts("gpt-9"), Policy(), None),
        (facts("gpt-9"), Policy(default_target="p"), "p"),
        (facts("gpt-9"), Policy(routes={"gpt-9": "q"}, default_target="p"), "q"),
        (facts("gpt-9"), Policy(routes={"gpt-8": "q"}), None),
        (facts("p-large"), Policy(default_target="p"), None),  # somebody accepts it
        (facts("gpt-9", exact_model=True), Policy(routes={"gpt-9": "q"}, default_target="p"), None),
    ],
)
def test_whom_model_routes_lets_answer(asked: Facts, policy: Policy, routed: str | None) -> None:
    views = (provider("p", any_model=False), provider("q", any_model=False))
    assert Question(asked, snapshot(*views), policy).routed == routed


@pytest.mark.parametrize(
    ("asked", "policy", "more"),
    [
        (facts(), POLICY, None),
        (facts("gpt-4"), POLICY, "model_not_found"),
        (facts(allowed_models=frozenset()), POLICY, "model_not_allowed"),
        (facts(allowed_targets=frozenset()), POLICY, "target_not_allowed"),
        (facts(target="a"), POLICY, "not_asked_for"),
        (facts(compliance=frozenset({"gdpr"})), POLICY, "compliance"),
        (facts(region="eu"), POLICY, "residency"),
        (facts(needs=frozenset({"tools"})), POLICY, "unsupported"),
        (facts(needs=frozenset({"n"})), POLICY, "unsupported"),
        (facts(needs=frozenset({"json_schema"})), POLICY, None),
        (facts(stream=True), Policy(unsupported={"gemini": frozenset({"stream"})}), "unsupported"),
        (facts(stream=True), POLICY, None),
        (facts(complexity=COMPLEX), POLICY, "capability"),
        (facts(max_usd_per_1k_tokens=0.1), POLICY, "cost"),
        (facts(priced=True), POLICY, "cost"),
        (facts(), Policy(enable_external_fallback=False), "external_disabled"),
        (facts(max_latency_ms=1), POLICY, "latency"),
    ],
)
def test_only_what_the_request_gives_a_reason_for_is_checked(asked: Facts, policy: Policy, more: str | None) -> None:
    always = {"context_length_exceeded"} | PASSING - {"latency"}
    checked = [code for code, _ in checks_for(Question(asked, snapshot(), policy))]
    assert sorted(checked) == sorted(always | ({more} if more else set()))


@pytest.mark.parametrize("need", ["tools", "vision", "audio"])
def test_a_cluster_declares_what_llama_servers_mostly_cannot(need: str) -> None:
    asked = facts(needs=frozenset({need}))
    assert code(cluster("a"), asked) == "unsupported"
    assert code(cluster("a", capabilities=frozenset({need})), asked) is None


@pytest.mark.parametrize(
    ("view", "asked", "said"),
    [
        (cluster("a"), facts("x", exact_model=True), "does not answer as exactly 'x'"),
        (cluster("a"), facts("x", allowed_models=frozenset()), "the key does not cover the model 'x'"),
        (cluster("a"), facts(allowed_models=frozenset()), "the key does not cover the model 'tiny'"),
        (cluster("a"), facts(allowed_targets=frozenset()), "the key does not cover this target"),
        (cluster("a"), facts(target="b"), "the request asks for 'b'"),
        (cluster("a"), facts(compliance=frozenset({"soc2", "gdpr"})), "lacks gdpr, soc2"),
        (cluster("a", region="us"), facts(region="eu"), "eu required, this is us"),
        (cluster("a"), facts(region="eu"), "eu required, this is nowhere stated"),
        (cluster("a"), facts(needs=frozenset({"vision", "audio"})), "cannot take audio, vision"),
        (
            cluster("a", capabilities=frozenset({"simple-tasks"})),
            facts(complexity=0.75),
            "takes simple tasks only, complexity is 0.75",
        ),
        (cluster("a", context_length=64), facts(max_tokens=10), "110 tokens wanted, the window holds 64"),
        (cluster("a", None), facts(priced=True), "the cost is not known"),
        (
            cluster("a", 0.002),
            facts(max_usd_per_1k_tokens=0.001),
            "0.002000 USD per 1K tokens, at most 0.001 allowed",
        ),
        (cluster("a", p95_latency_ms=501.0), facts(max_latency_ms=500), "p95 is 501 ms, at most 500 allowed"),
        (cluster("a", state="zero"), facts(), "the pool is zero"),
        (cluster("a", health="unhealthy"), facts(), "failed its health check"),
        (cluster("a", retry_at=NOW + 1.5, retry_reason="cooling"), facts(), "asked for a pause of 1.5 s"),
        (cluster("a", retry_at=NOW + 1.5), facts(), "failed lately, next attempt in 1.5 s"),
        (cluster("a", probing=True), facts(), "failed lately, one attempt is under way"),
    ],
)
def test_people_are_told_what_is_wrong_and_by_how_much(view: View, asked: Facts, said: str) -> None:
    found = rejection(view, asked)
    assert found is not None
    assert found.detail == said


def test_who_never_leaves_is_told_the_setting() -> None:
    found = rejection(provider("p"), facts(), Policy(enable_external_fallback=False))
    assert found == Rejection("p", "external_disabled", "enableExternalFallback is false")


def test_a_lasting_reason_is_named_before_a_passing_one() -> None:
    broken = cluster("a", state="down", health="unhealthy", region="us")
    assert code(broken, facts(region="eu")) == "residency"


def test_the_classes_of_codes_are_complete_and_apart() -> None:
    assert not LASTING & PASSING
    assert LASTING >= SCOPES
    assert DEMANDS - {RULE} <= LASTING | PASSING
    assert PASSING - {"latency"} == UNAVAILABLE == TROUBLE


def test_able_is_who_could_answer_whoever_asks_and_whatever_model_he_names() -> None:
    codes = {code for code, _ in ABLE}
    assert codes == {"compliance", "residency", "unsupported", "context_length_exceeded"}
