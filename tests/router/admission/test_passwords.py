"""Which passwords may be chosen, and that only the right one is right."""

from __future__ import annotations

import pytest

from llm_router.admission.passwords import hash_password, is_right, password_fault
from llm_router.config.password_hash import parse_password_hash
from tests.router.passwords import PASSWORD, quick_hash


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("", "shorter than 15"),
        ("fourteen chars", "shorter than 15"),
        ("x" * 257, "longer than 256"),
        ("tangerine\x00kazoo-thunder", "control character"),
        ("aaaaaaaaaaaaaaaaaaaa", "common"),
        ("1234567890123456", "common"),
        ("passwordpassword", "common"),
        ("Password123456789!", "common"),
        ("admin-admin-admin-admin", "common"),
        ("llm-router-changeme", "common"),
        ("correct horse battery staple", "common"),
        ("qwertyuiopasdfghjkl", "common"),
        ("your-shared-secret-2026", "common"),
    ],
)
def test_a_password_that_is_among_the_first_to_be_tried_is_refused(password: str, told: str) -> None:
    assert told in (password_fault(password) or "")


@pytest.mark.parametrize(
    "password", [PASSWORD, "kühle Brise über Kaliningrad", "7Hq!zRw2mKd9xTe4", "五" * 3 + "windmills tilt at me"]
)
def test_others_will_do(password: str) -> None:
    assert password_fault(password) is None


def test_only_the_right_password_is_right() -> None:
    known = parse_password_hash(quick_hash())
    assert is_right(PASSWORD, known)
    for wrong in ("", PASSWORD + " ", PASSWORD.upper(), PASSWORD[:-1], "\ud800", str(known)):
        assert not is_right(wrong, known)


def test_one_password_spelt_in_two_ways_is_the_same() -> None:
    known = parse_password_hash(quick_hash("kühle Brise".replace("ü", "ü")))
    assert is_right("kühle Brise", known)


def test_what_the_command_makes_is_salted_and_costs_64_mib() -> None:
    made = hash_password(PASSWORD, b"salt of 16 bytes")
    assert parse_password_hash(str(made)) == made
    assert is_right(PASSWORD, made)
    assert made.digest != hash_password(PASSWORD, b"another 16 bytes").digest
    assert made.memory_bytes == pytest.approx(64 * 2**20, rel=0.01)
