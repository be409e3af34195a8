from __future__ import annotations

import pytest

from llm_router.config.findings import Path, kind_of, meant, nearest, path_of, quote, show


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("server", "port"), "server.port"),
        (("clusters", 0, "models", 12, "name"), "clusters[0].models[12].name"),
        (("router", "modelMapping", "gpt-4", "openai"), "router.modelMapping.gpt-4.openai"),
        (("router", "modelMapping", "gpt-4.1"), 'router.modelMapping["gpt-4.1"]'),
        (("a\nb",), '["a\\nb"]'),
    ],
)
def test_paths_are_shown_as_people_write_them(path: Path, text: str) -> None:
    assert show(path) == text


@pytest.mark.parametrize("path", [(), ("keys",), ("status", "keys", 1, "secret"), ("upstreams", 0, "gate", "id")])
def test_paths_of_plain_keys_are_read_as_they_are_shown(path: Path) -> None:
    assert path_of(show(path)) == path


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("cost_per_hour", "costPerHour"),
        ("CostPerHour", "costPerHour"),
        ("costPerHours", "costPerHour"),
        ("costPrHour", "costPerHour"),
        ("endpiont", "endpoint"),
        ("frobnicate", None),
        ("", None),
    ],
)
def test_the_nearest_known_word_is_found_or_none(word: str, known: str | None) -> None:
    assert nearest(word, ["name", "endpoint", "costPerHour", "sharedSecret"]) == known


def test_a_hint_names_the_nearest_or_all_there_is() -> None:
    assert meant("nmae", ["name", "type"]) == '; did you mean "name"?'
    assert meant("frobnicate", ["name", "type"]) == "; known here: name, type"
    assert meant("anything", []) == ""


def test_quoted_text_stays_on_one_line_and_short() -> None:
    assert quote('a"b') == '"a\\"b"'
    assert quote("a\nb\x1b[31m") == '"a\\nb\\u001b[31m"'
    assert len(quote("x" * 1000)) < 65


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"),
        (True, "true"),
        (1, "the number 1"),
        (1.5, "the number 1.5"),
        ("x", 'the text "x"'),
        ("", "an empty text"),
        ([], "a list"),
        ({}, "a mapping"),
    ],
)
def test_values_are_told_as_a_reader_sees_them(value: object, words: str) -> None:
    assert kind_of(value) == words
