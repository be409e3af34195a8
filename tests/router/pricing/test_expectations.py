"""What is learnt from answers: per model, key and complexity, with back-off; never poisoned, never without bound."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_router.model import Expected, Facts, Target, Usage, View
from llm_router.pricing.estimate import PRIOR_OUTPUT_TOKENS, expected_usage
from llm_router.pricing.expectations import ENOUGH, Expectations

MODEL = "tiny"


def facts(input_tokens: int = 100, **fields: Any) -> Facts:
    most = fields.get("max_tokens") or PRIOR_OUTPUT_TOKENS
    return Facts(
        model="auto",
        input_tokens=input_tokens,
        expected_output_tokens=min(most, PRIOR_OUTPUT_TOKENS),
        **fields,
    )


def taught(*answers: tuple[Facts, Usage], model: str = MODEL, times: int = 1, **limits: int) -> Expectations:
    expectations = Expectations(**limits)
    for asked, usage in answers * times:
        expectations.learn(model, asked, usage)
    return expectations


def answer(output_tokens: int, input_tokens: int = 100) -> Usage:
    return Usage(input_tokens=input_tokens, output_tokens=output_tokens)


def expect(expectations: Expectations, asked: Facts, model: str = MODEL) -> Usage:
    target = Target(name="t", kind="provider", owner="t", model=model)
    return expected_usage(View(target=target, expected=expectations.of(model)), asked)


# ---------------------------------------------------------------- lengths of answers


def test_a_first_guess_until_there_are_enough_answers() -> None:
    few = taught((facts(), answer(40)), times=ENOUGH - 1)
    assert expect(few, facts()).output_tokens == PRIOR_OUTPUT_TOKENS
    enough = taught((facts(), answer(40)), times=ENOUGH)
    assert expect(enough, facts()).output_tokens == 40


def test_lengths_are_those_of_the_key_and_of_the_complexity() -> None:
    cases = {("chat", 0.1): 30, ("chat", 0.9): 300, ("reports", 0.1): 60, ("reports", 0.9): 900}
    answers = [(facts(key=key, complexity=c), answer(n)) for (key, c), n in cases.items()]
    expectations = taught(*answers, times=ENOUGH)
    for (key, complexity), tokens in cases.items():
        assert expect(expectations, facts(key=key, complexity=complexity)).output_tokens == tokens


def test_backs_off_to_the_complexity_then_to_the_model_then_to_all_models() -> None:
    simple, hard = facts(key="a", complexity=0.1), facts(key="a", complexity=0.9)
    expectations = taught((simple, answer(50)), (hard, answer(500)), times=ENOUGH)
    assert expect(expectations, facts(key="new", complexity=0.1)).output_tokens == 50
    assert expect(expectations, facts(key="new", complexity=0.5)).output_tokens == 500  # the model's 70 % quantile
    assert expect(expectations, simple, model="new").output_tokens == 50
    assert expect(expectations, facts(complexity=0.5), model="new").output_tokens == 500


def test_other_models_do_not_count_once_a_model_has_answers_of_its_own() -> None:
    expectations = taught((facts(complexity=0.1), answer(50)), times=ENOUGH)
    for _ in range(ENOUGH):
        expectations.learn("other", facts(complexity=0.9), answer(800))
    assert expect(expectations, facts(complexity=0.1), model="other").output_tokens == 800


@given(st.lists(st.integers(1, 100_000), min_size=ENOUGH, max_size=200), st.integers(1, 5000))
@settings(max_examples=40)
def test_max_tokens_caps_what_is_expected(lengths: list[int], most: int) -> None:
    expectations = taught(*((facts(), answer(n)) for n in lengths))
    assert 1 <= expect(expectations, facts(max_tokens=most)).output_tokens <= most


def test_answers_that_max_tokens_cut_do_not_make_others_look_short() -> None:
    cut = facts(max_tokens=10)
    assert expect(taught((cut, answer(10)), times=50), facts()).output_tokens == PRIOR_OUTPUT_TOKENS
    mixed = taught((cut, answer(10)), (facts(), answer(400)), times=50)
    assert expect(mixed, facts()).output_tokens == 400


def test_long_answers_that_were_cut_count_for_what_they_had() -> None:
    assert expect(taught((facts(max_tokens=1000), answer(1000)), times=50), facts()).output_tokens == 1000


def test_a_change_of_habits_is_followed() -> None:
    expectations = taught((facts(), answer(50)), times=500)
    for _ in range(100):
        expectations.learn(MODEL, facts(), answer(700))
    assert expect(expectations, facts()).output_tokens == 700


# ---------------------------------------------------------------- prompts


@pytest.mark.parametrize(("each", "more"), [(1.0, 0), (1.3, 25), (3.9, 40), (0.7, 8)])
def test_learns_how_a_model_counts_prompts(each: float, more: int) -> None:
    sizes = [20, 60, 150, 400, 1500, 4000]
    expectations = taught(*((facts(n), answer(50, int(more + each * n))) for n in sizes), times=10)
    for size in (30, 300, 3000, 8000):
        assert expect(expectations, facts(size)).input_tokens == pytest.approx(more + each * size, rel=0.02, abs=2)


def test_cached_tokens_are_part_of_the_prompt() -> None:
    usage = Usage(input_tokens=50, cache_read_tokens=100, cache_write_tokens=50, output_tokens=9)
    assert expect(taught((facts(100), usage), times=ENOUGH), facts(100)).input_tokens == 200


def test_pictures_say_nothing_about_the_tokenizer() -> None:
    seen = facts(865, needs=frozenset({"vision"}))
    assert expect(taught((seen, answer(9, 8650)), times=50), facts(100)).input_tokens == 100


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)), max_size=60), st.integers(1, 10**6))
@settings(max_examples=40)
def test_a_longer_prompt_is_never_expected_to_have_fewer_tokens(pairs: list[tuple[int, int]], size: int) -> None:
    expectations = taught(*((facts(n), answer(9, counted)) for n, counted in pairs))
    shorter, longer = (expect(expectations, facts(n)).input_tokens for n in (size, 2 * size))
    assert 1 <= shorter <= longer <= 20 * size + 5000


# ---------------------------------------------------------------- what teaches nothing


@pytest.mark.parametrize(
    "usage",
    [
        Usage(input_tokens=10**12, output_tokens=10**12),
        Usage(input_tokens=0, output_tokens=0),
        Usage(input_tokens=-5, output_tokens=-5),
        Usage(input_tokens=3000, output_tokens=3000, estimated=True),
    ],
)
def test_absurd_missing_and_estimated_usage_teaches_nothing(usage: Usage) -> None:
    expectations = Expectations()
    assert not any(expectations.learn(MODEL, facts(), usage) for _ in range(200))
    assert expectations.of(MODEL) == Expected()


def test_several_answers_at_once_say_nothing_about_one() -> None:
    several = facts(needs=frozenset({"n"}))
    assert expect(taught((several, answer(4000)), times=50), facts()).output_tokens == PRIOR_OUTPUT_TOKENS


@given(
    st.lists(
        st.tuples(st.integers(-(10**13), 10**13), st.integers(-(10**13), 10**13), st.integers(0, 5)), max_size=120
    ),
    st.floats(0, 1),
    st.one_of(st.none(), st.integers(1, 10**7)),
)
@settings(max_examples=60)
def test_whatever_upstreams_report_the_estimate_is_positive_and_bounded(
    reports: list[tuple[int, int, int]], complexity: float, most: int | None
) -> None:
    expectations = Expectations()
    for read, written, key in reports:
        expectations.learn(MODEL, facts(complexity=complexity, key=f"k{key}"), answer(written, read))
    usage = expect(expectations, facts(50, complexity=complexity, key="k0", max_tokens=most))
    assert 1 <= usage.input_tokens <= 50 * 10 + 4096
    assert 1 <= usage.output_tokens <= min(most or 10**6, 10**6)


def test_a_liar_among_honest_answers_moves_nothing() -> None:
    honest = [(facts(n), answer(60, n)) for n in (50, 100, 200, 800)]
    calm = taught(*honest, times=20)
    lied = taught(*honest, *[(facts(100), answer(999_999, 9_999_999))] * 3, *honest, times=10)
    for size in (60, 600):
        assert expect(lied, facts(size)) == expect(calm, facts(size))


# ---------------------------------------------------------------- bounds and steadiness


def test_what_is_known_is_one_object_until_it_changes() -> None:
    expectations = taught((facts(), answer(40)), times=ENOUGH)
    known = expectations.of(MODEL)
    assert not expectations.learn(MODEL, facts(), answer(40))
    assert expectations.of(MODEL) is known


def test_small_changes_are_not_told() -> None:
    expectations = taught((facts(), answer(1000)), times=100)
    told = [expectations.learn(MODEL, facts(), answer(1020)) for _ in range(100)]
    assert not any(told)


def test_memory_is_bounded_and_the_oldest_is_forgotten() -> None:
    expectations = taught(*((facts(key=f"k{n}"), answer(30)) for n in range(100)), times=ENOUGH, max_figures=24)
    assert len(expectations.of(MODEL).output_tokens) <= 24
    assert len(expectations._lengths) == 24
    assert expect(expectations, facts(key="k99")).output_tokens == 30


def test_models_are_bounded_too() -> None:
    expectations = Expectations(max_models=8)
    for number in range(100):
        expectations.learn(f"m{number}", facts(), answer(30))
        expectations.of(f"m{number}")
    assert len(expectations._prompts) <= 8
    assert len(expectations._expected) <= 8
