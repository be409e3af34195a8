"""Simple requests score low, demanding ones high, fast and without surprises."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.routing.complexity import COMPLEX, SCANNED_CHARACTERS, score

SIMPLE = (
    "",
    "Hi",
    "Hello, how are you?",
    "Thanks!",
    "What is the capital of France?",
    "Translate 'good morning' to French.",
    "Tell me a joke about cats.",
    "Why is the sky blue?",
    "¿Qué hora es?",
    "你好",
)
DEMANDING = (
    "Compare and contrast the economic policies of Keynes and Hayek, evaluate the evidence for each, "
    "and derive implications for monetary policy today.",
    "Design a distributed rate limiter. First explain the requirements, then compare token bucket and leaky bucket, "
    "and finally justify your choice.",
    "Analyse the following quarterly report in detail. " + "Revenue rose while margins fell in every segment. " * 160,
    "```python\ndef f(x):\n    return x\n```\nRefactor this, explain why it is slow, and prove your complexity bound "
    "step by step:\n1. baseline\n2. optimised\n3. proof",
)


@pytest.mark.parametrize("text", SIMPLE)
def test_simple_requests_stay_well_below_the_threshold(text: str) -> None:
    assert score(text) < 0.3


@pytest.mark.parametrize("text", ["", "Hi", "Thanks!", "Hello, how are you?"])
def test_greetings_score_next_to_nothing(text: str) -> None:
    assert score(text) < 0.05


@pytest.mark.parametrize("text", DEMANDING)
def test_demanding_requests_are_complex(text: str) -> None:
    assert score(text) >= 0.6 > COMPLEX


def test_long_texts_are_complex_in_any_language() -> None:
    assert score("слово " * 1500) >= COMPLEX


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("Name three rivers.", "Name three rivers and explain why they matter."),
        ("Explain it.", "Explain it, then compare it, and finally justify it."),
        ("Is it so?", "Is it so? Since when? By whom? And what follows?"),
        ("Buy milk", "- Buy milk\n- Buy bread\n- Buy eggs\n- Buy tea"),
        ("Show x", "Show x = ∫ f(x)^2 ≤ ∑ y"),
        ("Fix it", "Fix it\n```\ndef f():\n    return 1\n```"),
    ],
)
def test_each_feature_adds(less: str, more: str) -> None:
    assert score(more) > score(less) + 0.05


@given(st.text())
def test_is_a_share_and_always_the_same(text: str) -> None:
    assert 0 <= score(text) < 1
    assert score(text) == score(text)


@given(st.text(max_size=2000), st.text(max_size=2000))
def test_more_of_the_same_paragraphs_never_makes_it_simpler(first: str, second: str) -> None:
    assert score(first + "\n" + second) >= score(first) - 1e-9


@pytest.mark.parametrize(
    "text",
    [
        ("Compare these designs, step by step; why is 3x = 9?\n- one\n```def f(): return x```\n" * 20)[:1024],
        "\n" * 1024,
        " 1" * 512,
        "?" * 1024,
    ],
)
def test_no_kilobyte_takes_much_longer_than_a_plain_one(text: str) -> None:
    plain = ("Tell me a story of a dog and a cat. " * 30)[:1024]
    assert min(_seconds(text) for _ in range(200)) <= 10 * min(_seconds(plain) for _ in range(200))


def test_a_text_of_megabytes_costs_no_more_than_its_beginning() -> None:
    huge = "why " * 1_000_000
    beginning = huge[:SCANNED_CHARACTERS]
    assert min(_seconds(huge) for _ in range(20)) <= 3 * min(_seconds(beginning) for _ in range(20)) + 1e-4


def _seconds(text: str) -> float:
    started = time.perf_counter()
    score(text)
    return time.perf_counter() - started
