"""What is kept of a password is read in one form only, with costs within bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.config.password_hash import PasswordHash, parse_password_hash

SALT, DIGEST = "c2FsdHNhbHRzYWx0c2FsdA", "A" * 43


@given(
    ln=st.integers(14, 18),
    r=st.integers(8, 16),
    p=st.integers(1, 10),
    salt=st.binary(min_size=16, max_size=64),
    digest=st.binary(min_size=32, max_size=64),
)
def test_what_is_written_is_read_again(ln: int, r: int, p: int, salt: bytes, digest: bytes) -> None:
    written = PasswordHash(ln, r, p, salt, digest)
    assert parse_password_hash(str(written)) == written


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tangerine-kazoo-thunderclap", "llm-router keys password"),
        ("", "llm-router keys password"),
        (f"$argon2id$v=19$m=65536,t=3,p=4${SALT}${DIGEST}", "llm-router keys password"),
        (f" $scrypt$ln=16,r=8,p=2${SALT}${DIGEST}", "llm-router keys password"),
        (f"$scrypt$ln=16,r=8,p=2${SALT}${DIGEST}\n", "too short or too long"),
        (f"$scrypt$ln=10,r=8,p=2${SALT}${DIGEST}", "out of bounds"),
        (f"$scrypt$ln=30,r=8,p=2${SALT}${DIGEST}", "out of bounds"),
        (f"$scrypt$ln=16,r=8,p=99${SALT}${DIGEST}", "out of bounds"),
        (f"$scrypt$ln=16,r=8,p=2$c2FsdA${DIGEST}", "too short"),
        (f"$scrypt$ln=16,r=8,p=2${SALT}$AAAA", "too short"),
        (f"$scrypt$ln=16,r=8,p=2${SALT}${'!' * 43}", "no base64"),
    ],
)
def test_anything_else_is_refused_with_what_to_do(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_password_hash(text)
