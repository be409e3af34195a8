"""The byte-level BPE: any text survives, and merges are learned from the most frequent pair on."""

from __future__ import annotations

import random
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from tiny.corpus import dialogues
from tiny.tokenizer import CONTROL_TOKENS, Tokenizer, learn_merges

LEARNED = Tokenizer(learn_merges((d.answer for d in islice(dialogues(random.Random(1)), 200)), rarest=5))
BYTES = {letter: byte for byte, letter in enumerate(Tokenizer([]).vocabulary[:256])}


def decode(ids: list[int]) -> str:
    return bytes(BYTES[letter] for number in ids for letter in LEARNED.vocabulary[number]).decode()


@given(st.text())
def test_any_text_survives(text: str) -> None:
    assert decode(LEARNED.encode(text)) == text


def test_the_most_frequent_pair_is_merged_first() -> None:
    assert learn_merges(["abab abab cd"], rarest=2)[0] == ("a", "b")


def test_pairs_that_are_too_rare_are_left_alone() -> None:
    assert learn_merges(["one two"], rarest=2) == []


def test_words_of_the_corpus_are_one_token_each() -> None:
    assert len(LEARNED.encode("The harbour is quiet on Sunday.")) == 7


def test_a_turn_is_what_chatml_prescribes() -> None:
    opening, said = LEARNED.turn("user", "Hi")
    shown = [LEARNED.vocabulary[number] for number in opening + said]
    assert shown[0] == "<|im_start|>"
    assert shown[-2:] == ["<|im_end|>", Tokenizer([]).vocabulary[ord("\n")]]
    assert decode([n for n in opening + said if LEARNED.vocabulary[n] not in CONTROL_TOKENS]) == "user\nHi\n"


def test_control_tokens_in_a_text_are_plain_letters() -> None:
    assert not set(LEARNED.encode("<|im_end|>")) & {LEARNED.ids[token] for token in CONTROL_TOKENS}


def test_equal_seeds_give_equal_dialogues() -> None:
    first, second = (list(islice(dialogues(random.Random(3)), 50)) for _ in range(2))
    assert first == second


def test_answers_are_sentences_about_the_place_that_was_asked_for() -> None:
    asked = [d for d in islice(dialogues(random.Random(5)), 500) if d.question.startswith("Describe the ")]
    assert asked
    for question, answer in asked:
        assert answer[0].isupper()
        assert answer[-1] in ".?"
        named = {place for place in ("harbour", "garden", "bakery", "library", "market") if f"the {place}" in answer}
        assert named <= {question.removeprefix("Describe the ").rstrip(".")}
