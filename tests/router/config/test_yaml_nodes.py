from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.config.yaml_nodes import MAX_BYTES, MAX_DEPTH, Document, read, read_file, scalar
from llm_router.config.yaml_writer import dump
from llm_router.errors import ConfigError, Problem


def refusal(content: str | bytes) -> Problem:
    with pytest.raises(ConfigError) as caught:
        read(content, "f.yaml")
    return caught.value.problems[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("off", "off"),
        ("no", "no"),
        ("0", 0),
        ("-12", -12),
        ("+12", 12),
        ("012", "012"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("2030-12-31", "2030-12-31"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", float("-inf")),
        ("1.2.3", "1.2.3"),
        ("٣", "٣"),
        ("9" * 31, "9" * 31),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_text_stays_text_unless_it_is_plainly_something_else(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_quoted_numbers_and_words_stay_text() -> None:
    assert read("a: '1'\nb: \"true\"\nc: ''\n").data == {"a": "1", "b": "true", "c": ""}


def test_keys_are_text_whatever_they_look_like() -> None:
    assert read("1: a\ntrue: b\n3.5: c\nnull: d\n").data == {"1": "a", "true": "b", "3.5": "c", "null": "d"}


def test_every_value_knows_its_line_and_missing_ones_that_of_what_should_hold_them() -> None:
    document = read(
        "# first\nserver:\n  port: 1\nclusters:\n\n  - name: a\n    models:\n      - x\n      - y\n  - name: b\n"
    )
    assert document.line(("server",)) == 2
    assert document.line(("server", "port")) == 3
    assert document.line(("clusters", 0, "models", 1)) == 9
    assert document.line(("clusters", 1)) == 10
    assert document.line(("clusters", 1, "endpoint")) == 10
    assert document.line(("router", "cost", "basis")) == 2, "the top-level mapping begins on line 2"
    assert Document({}).line(("server", "port")) == 0


def test_merged_keys_come_before_own_ones_and_own_ones_win() -> None:
    document = read("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 5}\nd:\n  <<: *a\n")
    assert document.data["c"] == {"x": 5, "y": 2, "z": 4}
    assert document.data["d"] == {"x": 1, "y": 2}


def test_references_may_stand_unquoted_inside_brackets_and_braces() -> None:
    text = "keys: [{id: a.1, secret: ${GATE_KEY}}, {id: a.2, secret: ${NEXT}}]\nlist: [${A}, x-${B}]\nplain: ${C}\n"
    assert read(text).data == {
        "keys": [{"id": "a.1", "secret": "${GATE_KEY}"}, {"id": "a.2", "secret": "${NEXT}"}],
        "list": ["${A}", "x-${B}"],
        "plain": "${C}",
    }


def test_columns_count_what_is_written_also_behind_a_reference() -> None:
    assert "at column 12:" in refusal("a: [${NAME}}\n").message


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert read(b"\xef\xbb\xbfserver: {port: 1}\n").data == {"server": {"port": 1}}


def test_windows_line_ends_keep_the_lines() -> None:
    document = read("server:\r\n  port: 1\r\n")
    assert document.data == {"server": {"port": 1}}
    assert document.line(("server", "port")) == 2


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"\x7fELF\x02\x01\x01\x00\x00", 1, "not a text file"),
        (b"a: 1\nb: \x00\n", 2, "not a text file"),
        (b"a: 1\nb: \xff\xfe\n", 2, "not a text file in UTF-8"),
        ("a: 1\nb: \ud800\n", 2, "not a text file in UTF-8"),
        (b"\x1f\x8b\x08\x00", 1, "not a text file"),
    ],
)
def test_what_is_no_text_is_refused(content: str | bytes, line: int, message: str) -> None:
    problem = refusal(content)
    assert message in problem.message
    assert (problem.line, problem.file) == (line, "f.yaml")


def test_a_file_of_more_than_10_mib_is_refused_without_reading_it() -> None:
    began = time.process_time()
    assert "larger than 10 MiB" in refusal(b"a: 1\n" * (MAX_BYTES // 5 + 1)).message
    refusing_s = time.process_time() - began
    began = time.process_time()
    read("a: 1\n" + "# comment\n" * (MAX_BYTES // 10 - 1))
    assert refusing_s < time.process_time() - began


def test_10_mib_of_comments_are_read_and_10_mib_of_values_are_not() -> None:
    assert read("a: 1\n" + "# comment\n" * (MAX_BYTES // 10 - 1)).data == {"a": 1}
    assert "more than 100000 values" in refusal("".join(f"k{i}: v\n" for i in range(900_000))).message


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_nesting_is_bounded_before_anything_can_overflow(opening: str) -> None:
    assert f"nested more than {MAX_DEPTH} deep" in refusal(opening * 100_000).message


@pytest.mark.parametrize(
    ("innermost", "outer"), [("[x]", "[*a{}]"), ("{x: 1}", "{{y: *a{}}}"), ("{x: 1}", "{{<<: *a{}}}")]
)
def test_nesting_by_aliases_and_merge_keys_is_bounded_too(innermost: str, outer: str) -> None:
    text = f"a0: &a0 {innermost}\n" + "".join(f"a{i}: &a{i} {outer.format(i - 1)}\n" for i in range(1, 100))
    assert f"nested more than {MAX_DEPTH} deep once its aliases are written out" in refusal(text).message


def test_merge_keys_multiply_no_better_than_aliases() -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 12)]
    assert "values once its aliases are written out" in refusal("\n".join(lines)).message


def test_all_duplicates_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read("a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert [(p.line, p.path) for p in caught.value.problems] == [(2, "a"), (3, "b.c")]


def test_a_file_that_is_not_there_is_a_refusal_that_names_it() -> None:
    with pytest.raises(ConfigError, match=r"^/no/such\.yaml: can not be read: no such file"):
        read_file("/no/such.yaml")


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co"]), max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**29), 10**29)
    | st.floats(allow_nan=False)
    | texts
    | st.sampled_from(
        ["1e5", "<<", "yes", "0o7", "12:30", "2030-12-31", "~", "=", "${A}", "a ${B} c", "- x", "#", ": "]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts.filter(bool), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(texts.filter(bool), values, max_size=5))
def test_what_is_written_is_read_back_as_it_was(data: dict[str, object]) -> None:
    assert read(dump(data)).data == data


@given(st.text(max_size=300) | st.binary(max_size=300))
def test_nothing_but_a_refusal_comes_of_arbitrary_content(content: str | bytes) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(read(content).data, dict)
