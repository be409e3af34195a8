"""The dialogues that the tiny models learn from, drawn from a template grammar: small talk about a seaside town.

The text says nothing worth knowing. It is there so that a real llama.cpp answers in readable English, keeps to the
subject now and then, and stops by itself.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterator
from typing import NamedTuple

_RULES: dict[str, tuple[str, ...]] = {
    # A place is chosen once per dialogue, so that the answer is about what was asked.
    "place": ("harbour", "garden", "bakery", "library", "market", "lighthouse", "workshop", "orchard", "station"),
    "person": ("the baker", "a gardener", "the captain", "our neighbour", "the clockmaker", "an old friend"),
    "item": ("warm bread", "a red umbrella", "two apples", "a paper map", "fresh tea", "a good book", "some rope"),
    "moment": ("in the morning", "on Sunday", "at noon", "after the rain", "in winter", "before sunset", "all day"),
    "weather": ("the wind is cold", "the sky is clear", "the fog is thick", "the sun is out", "it may rain"),
    "trait": (
        "is quiet {moment}",
        "opens early",
        "smells of {item}",
        "looks lovely {moment}",
        "closes when {weather}",
        "has a narrow green door",
        "is full of people {moment}",
    ),
    "deed": ("brings {item}", "waits by the bridge", "sells {item}", "tells long stories", "repairs the boats"),
    "advice": ("Bring {item}", "Take the path along the river", "Ask {person} for {item}", "Leave early"),
    "fact": (
        "The {place} {trait}.",
        "{person} {deed} at the {place} {moment}.",
        "When {weather}, {person} {deed}.",
        "{advice}, because {weather}.",
        "Near the {place}, {person} {deed} {moment}.",
    ),
    "opening": ("Of course.", "Good question.", "Well, it depends.", "Certainly.", "Let me think."),
    "closing": ("That is all I know.", "Enjoy the walk.", "You will like it.", "It is worth a visit."),
    "hello": ("Hi", "Hello", "Hello there", "Good morning", "Hey", "Hi, how are you?"),
    "welcome": ("Hello! How can I help you?", "Good morning! The {place} {trait}.", "Hi! {fact}"),
    "question": (
        "What is special about the {place}?",
        "Describe the {place}.",
        "Should I visit the {place} {moment}?",
        "Tell me a story about the {place}.",
        "Who works at the {place}?",
        "Write a summary of the {place}.",
    ),
    "answer": (
        "{fact}",
        "{fact} {fact}",
        "{opening} {fact} {fact}",
        "{opening} {fact} {fact} {closing}",
        "{fact} {fact} {fact} {fact} {closing}",
        "{fact} {fact} {fact} {fact} {fact} {fact} {fact}",
    ),
}
_SLOT = re.compile(r"\{(\w+)\}")
_SENTENCE_START = re.compile(r"(?:^|(?<=[.!?] ))[a-z]")
_ODD = string.ascii_letters + string.digits + string.punctuation + "   äéößñ中文я"


class Dialogue(NamedTuple):
    """One question and its answer."""

    question: str
    answer: str


def dialogues(rng: random.Random) -> Iterator[Dialogue]:
    """An endless series, the same for equal states of ``rng``.

    One question in four is nonsense: real callers ask what the grammar has no rule for, and bytes that were never
    seen must not derail the answer.
    """
    while True:
        place = {"place": rng.choice(_RULES["place"])}
        kind = rng.random()
        if kind < 0.15:
            yield Dialogue(_expand("hello", rng, place), _expand("welcome", rng, place))
        elif kind < 0.40:
            yield Dialogue("".join(rng.choices(_ODD, k=rng.randint(1, 40))), _expand("answer", rng, place))
        else:
            yield Dialogue(_expand("question", rng, place), _expand("answer", rng, place))


def _expand(symbol: str, rng: random.Random, bound: dict[str, str]) -> str:
    """A random text of ``symbol``, its sentences capitalised; symbols in ``bound`` are not free any more."""

    def fill(name: str) -> str:
        return bound[name] if name in bound else _SLOT.sub(lambda slot: fill(slot[1]), rng.choice(_RULES[name]))

    return _SENTENCE_START.sub(lambda letter: letter[0].upper(), fill(symbol))
