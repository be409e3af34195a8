"""Answers without a protocol: limits are exact, stop sequences end, forced tools and schemas give JSON."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from llm_router.demo.standins.chat import Ask, Tool, answer
from llm_router.demo.standins.text import count_tokens

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def _ask(prompt: str = "Hi", **options: object) -> Ask:
    return Ask(**{"prompt": prompt, "question": prompt, "prompt_tokens": 1, "max_tokens": 10_000, **options})  # type: ignore[arg-type]


@given(st.text(max_size=50), st.integers(min_value=0, max_value=300))
def test_an_answer_never_exceeds_its_limit_and_says_when_it_was_cut(prompt: str, limit: int) -> None:
    whole, said = answer(_ask(prompt)), answer(_ask(prompt, max_tokens=limit))
    assert said.tokens == min(limit, whole.tokens)
    assert whole.text.startswith(said.text)
    assert (said.stop == "length") == (said.text != whole.text)


@given(st.text(max_size=20), st.data())
def test_the_earliest_stop_sequence_ends_the_answer(prompt: str, data: st.DataObject) -> None:
    whole = answer(_ask(prompt)).text
    stops = tuple(data.draw(st.lists(st.sampled_from(whole.split()), min_size=1, max_size=3)))
    said = answer(_ask(prompt, stops=stops))
    assert (said.stop, said.sequence in stops) == ("sequence", True)
    assert len(said.text) == min(whole.index(stop) for stop in stops)


def test_a_stop_sequence_beyond_the_limit_does_not_count() -> None:
    last = answer(_ask()).text.split()[-1]
    said = answer(_ask(stops=(last,), max_tokens=3))
    assert (said.stop, said.sequence, said.tokens) == ("length", None, 3)


def test_choices_differ() -> None:
    assert len({answer(_ask(), choice).text for choice in range(4)}) == 4


def test_a_forced_tool_gets_arguments_and_its_name_is_billed() -> None:
    said = answer(_ask(tool=Tool("weather", SCHEMA), stops=("sample",)))
    assert (json.loads(said.text), said.stop) == ({"city": "sample"}, "tool")
    assert said.tokens == count_tokens(said.text) + count_tokens("weather")


def test_a_tool_call_can_be_cut_too() -> None:
    said = answer(_ask(tool=Tool("weather", SCHEMA), max_tokens=3))
    assert (said.stop, said.tokens) == ("length", 3)


def test_a_schema_gives_json() -> None:
    assert json.loads(answer(_ask(schema=SCHEMA)).text) == {"city": "sample"}
