from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, field

from llm_router.config.decode import Decoded, decode
from llm_router.config.findings import show
from llm_router.config.scalars import Bytes, Count, Duration, FilePath, Name, Seconds, Secret, Size
from llm_router.config.schema import Base
from llm_router.config.secrets import FollowReferences


class Model(Base):
    name: Name
    context_length: Count | None = None


class Everything(Base):
    """One key of each kind that a configuration may have."""

    text: Annotated[str, "Says what it is for."]
    whole: int = 1
    number: float = 1.0
    flag: bool = False
    wait: Duration = Seconds(1)
    size: Size = Bytes(1)
    key: Secret | None = None
    file: FilePath | None = None
    choice: Literal["red", "green"] = "red"
    inner: Model | None = None
    models: tuple[str | Model, ...] = ()
    some: Annotated[tuple[int, ...], Meta(min_length=1)] = (1,)
    by_name: dict[Name, float] = field(default_factory=dict)
    odd: int = field(name="per1k", default=0)


ENV = {"N": "7", "T": "text", "D": "5m", "W": "green", "F": "true", "K": "s3cret-canary"}


def run(data: dict[str, Any]) -> Decoded[Everything]:
    return decode({"text": "x", **data}, Everything, FollowReferences(ENV, "/base"))


def value(data: dict[str, Any]) -> Everything:
    decoded = run(data)
    assert decoded.value is not None, decoded.problems
    assert not decoded.problems
    return decoded.value


def problems(data: dict[str, Any]) -> dict[str, str]:
    return {show(path): message for path, message in run(data).problems}


def test_defaults_stand_where_nothing_is_written() -> None:
    assert value({}) == Everything(text="x")


def test_each_kind_of_value_becomes_its_type() -> None:
    read = value(
        {
            "whole": 2.0,
            "number": 3,
            "flag": True,
            "wait": "250ms",
            "size": "4MiB",
            "key": "${K}",
            "file": "a/b",
            "choice": "green",
            "inner": {"name": "a", "contextLength": 5},
            "models": ["plain", {"name": "m"}],
            "some": [1, 2],
            "byName": {"a": 1},
            "per1k": 4,
        }
    )
    assert read == Everything(
        text="x",
        whole=2,
        number=3.0,
        flag=True,
        wait=Seconds(0.25),
        size=Bytes(4194304),
        key=Secret("s3cret-canary"),
        file=FilePath("/base/a/b"),
        choice="green",
        inner=Model(name="a", context_length=5),
        models=("plain", Model(name="m")),
        some=(1, 2),
        by_name={"a": 1.0},
        odd=4,
    )
    types = {type(read.whole), type(read.number), type(read.wait), type(read.size), type(read.key), type(read.file)}
    assert types == {int, float, Seconds, Bytes, Secret, FilePath}


def test_references_stand_for_values_of_every_kind() -> None:
    read = value({"text": "${T}/${T}", "whole": "${N}", "wait": "${D}", "choice": "${W}", "flag": "${F}"})
    assert (read.text, read.whole, read.wait, read.choice, read.flag) == ("text/text", 7, Seconds(300), "green", True)


@pytest.mark.parametrize(
    ("key", "written", "message"),
    [
        ("text", 1, 'must be text, not the number 1: put it in "quotes"'),
        ("text", True, 'must be text, not true: put it in "quotes"'),
        ("text", None, "empty: give it text, or remove the key"),
        ("text", ["x"], "must be text, not a list"),
        ("whole", 1.5, "must be a whole number, not the number 1.5"),
        ("whole", True, "must be a whole number, not true"),
        ("whole", "1", 'must be a whole number, not the text "1"'),
        ("number", float("nan"), "must be a number, not the number nan"),
        ("number", float("inf"), "must be a number, not the number inf"),
        ("flag", "yes", 'must be true or false, not the text "yes"'),
        ("flag", 1, "must be true or false, not the number 1"),
        ("wait", "5 m", 'must be a duration such as 30s, 5m or 1h, not the text "5 m"'),
        ("wait", 0, "must be more than 0, not 0"),
        ("wait", float("inf"), "must be a duration such as 30s, 5m or 1h, not the number inf"),
        ("size", 1.5, "must be a size such as 512KiB or 4MiB, not the number 1.5"),
        ("size", "0B", 'must be at least 1, not "0B"'),
        ("key", "", "empty: give it a value, or remove the key"),
        ("file", "", "must be a file's path, not an empty text"),
        ("choice", "gren", 'must be one of red, green, not the text "gren"; did you mean green?'),
        ("choice", ["red"], "must be one of red, green, not a list"),
        ("inner", [], "must be a mapping with keys such as name, contextLength, not a list"),
        ("models", "m", 'must be a list, not the text "m"'),
        ("some", [], "must hold at least 1, not an empty list"),
        ("byName", [], "must be a mapping, not a list"),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(key: str, written: Any, message: str) -> None:
    assert problems({key: written}) == {key: message}
    assert run({key: written}).value is None


def test_everything_wrong_is_told_in_one_run_with_its_path() -> None:
    found = problems(
        {
            "whole": "x",
            "inner": {"nmae": "a"},
            "models": ["fine", {"name": "a/b"}, {"name": "c", "contextLength": 0}],
            "byName": {"a b": 1, "c": "d"},
            "extra": 1,
        }
    )
    assert found.keys() == {
        "whole",
        "inner.nmae",
        "inner.name",
        "models[1].name",
        "models[2].contextLength",
        'byName["a b"]',
        "byName.c",
        "extra",
    }


def test_a_missing_key_is_told_with_what_it_is_for() -> None:
    decoded = decode({}, Everything, FollowReferences({}, "/"))
    assert [(show(p), m) for p, m in decoded.problems] == [("text", "missing. Says what it is for.")]


def test_an_unknown_key_is_told_and_the_rest_is_still_read() -> None:
    decoded = run({"wholly": 3, "whole": 4})
    assert [m for _, m in decoded.problems] == ['unknown key; did you mean "whole"?']
    assert decoded.value == Everything(text="x", whole=4)


def test_missing_variables_are_awaited_and_texts_that_need_them_are_empty() -> None:
    decoded = run({"text": "a-${GONE}", "key": "${GONE}", "file": "${GONE}"})
    assert decoded.value == Everything(text="", key=Secret(), file=FilePath())
    assert not decoded.problems
    assert [show(path) for path, _ in decoded.awaited] == ["text", "key", "file"]
    assert not decoded.secrets
    assert not decoded.files


def test_a_number_that_awaits_its_variable_leaves_no_value() -> None:
    decoded = run({"whole": "${GONE}"})
    assert decoded.value is None
    assert not decoded.problems
    assert [message for _, message in decoded.awaited] == ["the environment variable GONE is not set: set it"]


def test_where_secrets_and_files_stand_is_known() -> None:
    decoded = run({"key": "literal", "file": "/a"})
    assert [(s.path, s.origin) for s in decoded.secrets] == [(("key",), "literal")]
    assert [(f.path, f.file) for f in decoded.files] == [(("file",), "/a")]


@pytest.mark.parametrize(
    "key", ["whole", "number", "flag", "wait", "size", "choice", "file", "text", "inner", "byName"]
)
def test_a_refused_value_shows_what_is_written_and_not_what_it_stands_for(key: str) -> None:
    for written in ("${K}", {"name": "${K} ${K}"}, {"${K}!": 1}):
        assert all("canary" not in message for message in problems({key: written}).values())


def test_a_secret_is_not_shown_however_wrong_it_is() -> None:
    for written in (123456789, ["123456789"], {"a": "123456789"}, "123456789\n", "${123456789"):
        (message,) = problems({"key": written}).values()
        assert "123456789" not in message or written == "${123456789"


keys = st.sampled_from([*"abc", "text", "whole", "inner", "models", "byName", "name", "contextLength", "key", "file"])
scalars = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=10)
references = st.sampled_from(["${K}", "${GONE}", "${", "file:/gone", "secret:a", "secret:/"])
garbage = st.recursive(
    scalars | references, lambda x: st.lists(x, max_size=4) | st.dictionaries(keys, x, max_size=4), max_leaves=20
)


@given(st.dictionaries(keys, garbage, max_size=8))
def test_arbitrary_data_never_raise_and_give_a_value_or_a_reason(data: dict[str, Any]) -> None:
    decoded = decode(data, Everything, FollowReferences(ENV, "/base"))
    if decoded.value is None:
        assert decoded.problems or decoded.awaited
    assert all("canary" not in message for _, message in (*decoded.problems, *decoded.awaited))
