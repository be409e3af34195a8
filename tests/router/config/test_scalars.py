from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.config import scalars
from llm_router.config.hints import read
from llm_router.config.scalars import Bytes, Seconds, Secret, parse_bytes, parse_seconds, show_bytes, show_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("30s", 30), ("1.5s", 1.5), ("5m", 300), ("1h", 3600), ("7d", 604800), ("0s", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_seconds(text) == Seconds(seconds)


@pytest.mark.parametrize("text", ["", "30", "s", "30 s", "1h30m", "-5s", "1e3s", "30S", "30s\n", "٣s", "9" * 400 + "s"])
def test_what_is_no_duration(text: str) -> None:
    assert parse_seconds(text) is None


@pytest.mark.parametrize(("text", "size"), [("0B", 0), ("512KiB", 524288), ("4MiB", 4194304), ("1GiB", 1073741824)])
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == Bytes(size)


@pytest.mark.parametrize("text", ["", "4", "4MB", "4M", "4.5MiB", "4 MiB", "-1B", "9" * 5000 + "B"])
def test_what_is_no_size(text: str) -> None:
    assert parse_bytes(text) is None


@given(st.integers(0, 10**9))
def test_a_shown_duration_or_size_reads_back_as_itself(number: int) -> None:
    assert parse_seconds(show_seconds(number)) == Seconds(number)
    assert parse_bytes(show_bytes(number)) == Bytes(number)


@pytest.mark.parametrize(("seconds", "text"), [(0.25, "250ms"), (90, "90s"), (300, "5m"), (7200, "2h"), (0, "0s")])
def test_durations_are_shown_as_people_write_them(seconds: float, text: str) -> None:
    assert show_seconds(seconds) == text


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("s3cret-value")
    assert "s3cret" not in repr(secret)
    assert "s3cret" not in repr({"key": (secret,)})
    assert f"Bearer {secret}" == "Bearer s3cret-value", "it is still the value where a header is made of it"


def accepts(annotation: object, text: str) -> bool:
    (meta,) = read(annotation).metas
    assert meta.pattern
    return re.fullmatch(meta.pattern, text) is not None


@pytest.mark.parametrize("name", ["a", "aws-us-west-2", "gpt-5.4_x", "9lives", "a" * 63])
def test_names(name: str) -> None:
    assert accepts(scalars.Name, name)


@pytest.mark.parametrize("name", ["", "-a", ".a", "a/b", "a b", "a\n", "a" * 64, "ä", "a\r\nHost: b", "*"])
def test_what_is_no_name(name: str) -> None:
    assert not accepts(scalars.Name, name)


@pytest.mark.parametrize("name", ["gpt-5.4-mini", "meta-llama/Llama-3.1-8B", "ft:gpt-4:org::id", "a@b", "x" * 128])
def test_model_names(name: str) -> None:
    assert accepts(scalars.ModelName, name)


@pytest.mark.parametrize("name", ["", "../admin", "a/../b", "/abs", "a b", "a?b", "a#b", "a%2fb", "x" * 129, "a\n"])
def test_what_is_no_model_name(name: str) -> None:
    assert not accepts(scalars.ModelName, name)


@pytest.mark.parametrize("value", ["a", "a b", "x" * 5000, "!~"])
def test_header_values(value: str) -> None:
    assert accepts(scalars.HeaderValue, value)


@pytest.mark.parametrize("value", ["", " a", "a ", "a\nb", "a\r", "ä", "\x00", "\t"])
def test_what_is_no_header_value(value: str) -> None:
    assert not accepts(scalars.HeaderValue, value)
