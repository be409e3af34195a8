"""The stand-ins' words: always the same for the same question, as long as asked for, lossless in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.demo.standins.text import compose, count_tokens, wanted_tokens, words


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("x" * 400, 100)])
def test_a_token_is_four_characters_rounded_up(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens


@given(st.text(max_size=20), st.integers(min_value=1, max_value=200))
def test_text_reaches_its_length_in_whole_sentences(seed: str, tokens: int) -> None:
    text = compose(seed, tokens)
    assert tokens <= count_tokens(text) <= tokens + 20
    assert text.endswith(".")
    assert text == compose(seed, tokens)


def test_different_seeds_say_different_things() -> None:
    assert len({compose(str(seed), 30) for seed in range(20)}) == 20


@given(st.text(max_size=200))
def test_words_join_to_the_text(text: str) -> None:
    assert "".join(words(text)) == text


@given(st.text(alphabet="hijk ", max_size=40))
def test_short_questions_have_short_answers(question: str) -> None:
    assert 10 <= wanted_tokens(question) <= 30


@given(st.text(max_size=5000))
def test_no_answer_is_endless(question: str) -> None:
    assert 10 <= wanted_tokens(question + " analyse") <= 720


@pytest.mark.parametrize("question", ["Analyse this.", "Give a detailed report", "compare a and b", "EXPLAIN"])
def test_analyses_are_long(question: str) -> None:
    assert wanted_tokens(question) >= 150
