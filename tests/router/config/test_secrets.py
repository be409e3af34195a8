from __future__ import annotations

import base64
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.config.scalars import Secret
from llm_router.config.secrets import (
    MAX_SECRET_BYTES,
    BadReference,
    FollowReferences,
    KeepReferences,
    Origin,
    hmac_key,
    weakness,
)

HERE = FollowReferences({"A": "alpha", "B": "beta", "EMPTY": "", "NESTED": "${A}", "FILE": "file:/etc/passwd"}, "/etc")


def test_several_references_in_one_text_are_all_replaced() -> None:
    assert HERE.text("x-${A}-${B}-${A}") == "x-alpha-beta-alpha"
    assert HERE.text("nothing to do: $A {A} $") == "nothing to do: $A {A} $"


def test_a_variables_value_is_never_read_as_a_reference_again() -> None:
    assert HERE.text("${NESTED}") == "${A}"
    assert HERE.secret("${FILE}") == (Secret("file:/etc/passwd"), "environment")


@pytest.mark.parametrize(("text", "why"), [("${C}", "C is not set"), ("a${EMPTY}", "EMPTY is empty")])
def test_a_variable_without_a_value_is_awaited(text: str, why: str) -> None:
    with pytest.raises(BadReference, match=why) as caught:
        HERE.text(text)
    assert caught.value.awaits_value


@pytest.mark.parametrize("text", ["${}", "${A:-x}", "${A", "${A B}", "${1}", "${A${B}}"])
def test_what_looks_like_a_reference_must_be_one(text: str) -> None:
    with pytest.raises(BadReference, match="is no reference") as caught:
        HERE.text(text)
    assert not caught.value.awaits_value


@pytest.mark.parametrize(
    ("content", "value"), [(b"key", "key"), (b"key\n", "key"), (b"key\r\n", "key"), (b" key \n", " key ")]
)
def test_one_line_end_after_a_secret_in_a_file_is_no_part_of_it(tmp_path: Path, content: bytes, value: str) -> None:
    (tmp_path / "key").write_bytes(content)
    assert FollowReferences({}, str(tmp_path)).secret("file:key") == (Secret(value), "file")
    assert FollowReferences({"D": str(tmp_path)}, "/").secret("file:${D}/key") == (Secret(value), "file")


def test_named_secrets_are_files_in_the_directory_of_secrets(tmp_path: Path) -> None:
    (tmp_path / "openai").write_text("sk-1\n")
    resolver = FollowReferences({"LLM_ROUTER_SECRETS_DIR": str(tmp_path)}, "/")
    assert resolver.secret("secret:openai") == (Secret("sk-1"), "file")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "a\x00"])
def test_a_named_secret_stays_in_its_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadReference, match="is no secret's name"):
        FollowReferences({"LLM_ROUTER_SECRETS_DIR": str(tmp_path)}, "/").secret(f"secret:{name}")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\n", "is empty"),
        (b"a\nb\n", "line break"),
        (b"a\n\n", "line break"),
        (b"\xff", "is not text"),
        (b"a\x00", "control character"),
        (b"x" * (MAX_SECRET_BYTES + 1), "is larger than 64 KiB"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(BadReference, match=why):
        FollowReferences({}, str(tmp_path)).secret("file:key")


def test_files_that_are_not_there_or_no_files_are_refused(tmp_path: Path) -> None:
    resolver = FollowReferences({}, str(tmp_path))
    for reference, why in (("file:gone", "no such file"), ("file:.", "is a directory"), ("file:a\x00b", "is no file")):
        with pytest.raises(BadReference, match=why):
            resolver.secret(reference)


@pytest.mark.parametrize("text", ["${A}", "file:/run/x", "secret:openai"])
def test_a_fragment_keeps_references_to_secrets(text: str) -> None:
    assert KeepReferences().secret(text).value == text


@pytest.mark.parametrize("text", ["s3cret", "x${A}", "${A}${B}", "", "secret:a/b", "${A:-x}"])
def test_a_fragment_with_anything_but_one_reference_for_a_secret_is_refused(text: str) -> None:
    with pytest.raises(BadReference, match="never secrets") as caught:
        KeepReferences().secret(text)
    assert not text or text not in str(caught.value)


def test_a_fragment_has_no_references_elsewhere() -> None:
    assert KeepReferences().text("plain") == "plain"
    with pytest.raises(BadReference, match="write the value"):
        KeepReferences().path("${HOME}/x")


@pytest.mark.parametrize(
    "value",
    [
        "your-shared-secret",
        "YOUR_API_KEY",
        "your-openai-key-goes-here",
        "changeme",
        "change-me",
        "please-change-me",
        "dummy",
        "demo123",
        "Password",
        "<insert key>",
        "xxxxxxxxxxxxxxxx",
        "sk-xxxxxxxxxxxxxxxxxxxx",
        "sk-...",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "insert-your-key-here",
        "my-secret-key",
        "TODO",
    ],
)
@pytest.mark.parametrize("origin", ["environment", "file", "literal"])
def test_placeholders_are_recognised_wherever_they_come_from(value: str, origin: Origin) -> None:
    fault = weakness(value, origin)
    assert fault
    assert "placeholder" in fault
    assert value not in fault


@pytest.mark.parametrize("value", ["sk-proj-0a1b2c3d4e5f", "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"])
def test_sound_secrets_are_not(value: str) -> None:
    assert weakness(value, "environment") is None
    assert "stands in the file" in (weakness(value, "literal") or "")


def test_short_secrets_are_weak() -> None:
    assert "shorter than 16" in (weakness("k3y-0f-15-chars", "file") or "")
    assert weakness("k3y-0f-16-chars!", "file") is None


@given(st.text(string.ascii_letters + string.digits, min_size=40, max_size=60).filter(lambda s: len(set(s)) > 15))
def test_random_keys_are_never_taken_for_placeholders(value: str) -> None:
    assert weakness(value, "environment") is None


@given(st.binary(min_size=32, max_size=80).filter(lambda key: len(set(key)) > 1))
def test_a_shared_secret_is_the_bytes_that_its_base64_stands_for(key: bytes) -> None:
    assert hmac_key(base64.b64encode(key).decode()) == key


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "your-shared-secret",
        base64.b64encode(bytes(range(31))).decode(),
        base64.b64encode(bytes(32)).decode(),
        base64.b64encode(bytes(range(32))).decode().rstrip("="),
        base64.urlsafe_b64encode(b"\xff" * 33).decode(),
        base64.b64encode(bytes(range(32))).decode() + "\n",
        "ä" * 44,
    ],
)
def test_what_is_no_key_of_32_bytes_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(ValueError, match="openssl rand -base64 32") as caught:
        hmac_key(secret)
    assert not secret or secret not in str(caught.value)
