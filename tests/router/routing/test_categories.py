"""A prompt belongs to the categories whose examples it resembles, and counts as complex or simple where they say so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.config.schema import Category
from llm_router.model import Requirements
from llm_router.routing.categories import NO_CATEGORIES, SCANNED_CHARACTERS, Categories, Lexical, Meanings
from llm_router.routing.complexity import COMPLEX, score
from llm_router.routing.facts import facts_of
from tests.router.routing.test_facts import chat

EXAMPLES = {
    "legal": (
        "Review this contract for risks.",
        "Draft a non-disclosure agreement.",
        "Is this clause enforceable under German law?",
    ),
    "smalltalk": ("Hello, how are you?", "Tell me a joke.", "Good morning!"),
    "coding": ("Write a Python function that sorts a list.", "Fix the bug in this function."),
}
CONFIGURED = Categories(
    (
        Category(name="legal", examples=EXAMPLES["legal"], capability="complex-tasks"),
        Category(name="smalltalk", examples=EXAMPLES["smalltalk"], capability="simple-tasks"),
        Category(name="coding", examples=EXAMPLES["coding"]),
    )
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Please review the attached contract and point out risks", {"legal"}),
        ("Is clause 7 enforceable under French law?", {"legal"}),
        ("Reviwe this contrcat for riks", {"legal"}),
        ("hi, how are you doing", {"smalltalk"}),
        ("Write a JavaScript function that sorts an array", {"coding"}),
        ("What is the capital of France?", set()),
        ("Why does bread rise?", set()),
        ("Explain photosynthesis.", set()),
        ("", set()),
        ("?!", set()),
        ("你好", set()),
    ],
)
def test_a_prompt_belongs_where_it_resembles_an_example(text: str, names: set[str]) -> None:
    assert CONFIGURED.of(text) == names


@given(st.sampled_from([text for texts in EXAMPLES.values() for text in texts]))
def test_an_example_is_itself_whatever_its_case(text: str) -> None:
    alike = Lexical(EXAMPLES)(text.upper())
    assert max(alike.values()) == pytest.approx(1)
    assert text in EXAMPLES[max(alike, key=lambda name: alike[name])]


@given(st.text(), st.dictionaries(st.text(min_size=1), st.lists(st.text(), min_size=1), max_size=4))
def test_similarity_is_a_share_of_known_categories_for_any_text(text: str, examples: dict[str, list[str]]) -> None:
    alike = Lexical(examples)(text)
    assert alike.keys() <= examples.keys()
    assert all(0 < value <= 1 for value in alike.values())


def test_a_category_can_ask_for_more_or_less_likeness() -> None:
    text, one = "Write a poem about a list", EXAMPLES["coding"][:1]
    strict, lax = (Categories((Category(name="coding", examples=one, min_similarity=s),)) for s in (0.9, 0.2))
    assert not strict.of(text)
    assert lax.of(text) == {"coding"}


@given(
    st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3), min_size=1),
    st.lists(st.floats(-1, 1), min_size=3, max_size=3),
)
def test_meanings_are_shares_and_those_of_the_nearest_example(examples: list[list[float]], vector: list[float]) -> None:
    (value,) = Meanings({"one": examples})(vector).values()
    assert 0 <= value <= 1
    assert value == pytest.approx(
        min(1, max(0, *(sum(a * b for a, b in zip(e, vector, strict=True)) for e in examples)))
    )


def test_a_vector_of_another_model_is_refused() -> None:
    with pytest.raises(ValueError, match="vectors of 2 numbers, this one has 3"):
        Meanings({"one": [(1.0, 0.0)]})((1.0, 0.0, 0.0))


def test_meanings_have_a_threshold_of_their_own() -> None:
    categories = Categories((Category(name="a", examples=("x",), min_cosine=0.7, min_similarity=0.1),))
    assert categories.meant({"a": 0.7, "nobody configured": 1.0}) == {"a"}
    assert not categories.meant({"a": 0.69})


@pytest.mark.parametrize(
    ("scored", "names", "counts"),
    [
        (0.1, {"legal"}, COMPLEX),
        (0.9, {"legal"}, 0.9),
        (0.1, {"smalltalk"}, 0.1),
        (0.1, {"legal", "smalltalk"}, COMPLEX),
        (0.9, {"coding"}, 0.9),
        (0.9, set(), 0.9),
    ],
)
def test_what_a_category_takes_counts_before_the_score(scored: float, names: set[str], counts: float) -> None:
    assert CONFIGURED.complexity(scored, frozenset(names)) == counts


def test_a_simple_category_keeps_a_prompt_below_the_threshold() -> None:
    assert CONFIGURED.complexity(0.9, frozenset({"smalltalk"})) < COMPLEX


def test_facts_name_the_categories_and_count_with_them() -> None:
    asked = chat(messages=[{"role": "user", "content": EXAMPLES["legal"][0]}])
    plain = facts_of(asked, Requirements())
    facts = facts_of(asked, Requirements(), categories=CONFIGURED)
    assert (plain.categories, plain.complexity) == (frozenset(), score(EXAMPLES["legal"][0]))
    assert plain.complexity < COMPLEX
    assert facts.categories == {"legal"}
    assert facts.complexity == COMPLEX


def test_only_the_beginning_of_a_long_prompt_is_compared() -> None:
    assert CONFIGURED.of("x" * SCANNED_CHARACTERS + EXAMPLES["legal"][0]) == frozenset()
    assert NO_CATEGORIES.of("Hello") == frozenset()
