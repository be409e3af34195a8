"""Whole files of the other dialects: what loads, what is refused and where, and that converting changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_router.config.importing import import_file
from llm_router.config.load import load, parse
from llm_router.errors import ConfigError
from tests.router.config.dialects.files import ENV, FILES, INVALID, VALID, expected, load_available, name_of, told

KEYS = {"semantic_router": "inter_cluster_routing", "loom": "ai_gateway", "litellm": "model_list"}


@pytest.mark.parametrize("file", INVALID, ids=name_of)
def test_each_mistake_is_told_by_the_path_and_line_of_the_dialects_own_file(file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(str(file), ENV)
    problems, expectation = caught.value.problems, expected(file, "!")
    assert told(problems).keys() == expectation.keys(), "\n".join(map(str, problems))
    for place, text in expectation.items():
        assert text in told(problems)[place]
    assert all(p.file == str(file) for p in problems)


@pytest.mark.parametrize("file", VALID, ids=name_of)
def test_what_is_valid_loads_with_the_expected_warnings_only(file: Path) -> None:
    warnings, expectation = told(load_available(file).warnings), expected(file, "?")
    assert warnings.keys() == expectation.keys()
    for place, text in expectation.items():
        assert text in warnings[place]


@pytest.mark.parametrize("file", VALID, ids=name_of)
def test_the_converted_file_is_the_same_configuration(file: Path, tmp_path: Path) -> None:
    loaded = load_available(file)
    (tmp_path / "router.yaml").write_text(import_file(str(file), ENV).text)
    assert load(str(tmp_path / "router.yaml"), ENV).config == loaded.config


@pytest.mark.parametrize("file", VALID, ids=name_of)
def test_converting_asks_for_no_secret_and_writes_none(file: Path) -> None:
    load_available(file)
    text = import_file(str(file), {}).text
    assert text == import_file(str(file), ENV).text
    assert not [value for value in ENV.values() if len(value) > 10 and value in text]


@pytest.mark.parametrize("file", [*VALID, *INVALID], ids=name_of)
def test_no_value_of_the_environment_is_shown(file: Path) -> None:
    try:
        shown = repr(load(str(file), ENV))
    except ConfigError as error:
        shown = str(error)
    assert not [value for name, value in ENV.items() if name.endswith(("KEY", "TOKEN")) and value in shown]


@pytest.mark.parametrize("dialect", KEYS)
def test_a_dialect_has_files_of_both_kinds(dialect: str) -> None:
    assert len([f for f in VALID if f.parts[-3] == dialect]) >= 3
    assert len([f for f in INVALID if f.parts[-3] == dialect]) >= 6
    assert (FILES / dialect / "valid" / "documented.yaml").exists()


@pytest.mark.parametrize("key", KEYS.values())
def test_a_bomb_of_aliases_is_refused(key: str) -> None:
    levels = [f"  l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(ConfigError, match="values once its aliases are written out"):
        parse("\n".join([f"{key}:", "  l0: &l0 [x, x]", *levels]), env={})


@pytest.mark.parametrize("key", KEYS.values())
def test_ten_megabytes_are_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="larger than 10 MiB"):
        parse(f"{key}:\n" + "  # nothing to see here\n" * 500_000, env={})


@pytest.mark.parametrize("key", [*KEYS.values(), "routing_strategies", "vllm_endpoints"])
@pytest.mark.parametrize("value", ["", "[]", "{}", "5", "text", "[5]", "{a: 1}"])
def test_whatever_stands_under_the_key_is_refused_in_words(key: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"{key}: {value}\n", env={})
    assert all(p.message for p in caught.value.problems)
