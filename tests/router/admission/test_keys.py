from __future__ import annotations

import hashlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.admission.keys import ApiKey, KeyRing, authorise, digest, extract, is_well_formed, make_key
from llm_router.errors import ClientError

KEY = make_key(bytes(range(32)))
OTHER = make_key(bytes(32))
NOW = 1_800_000_000.0


def ring(**more: object) -> KeyRing:
    return KeyRing([ApiKey(name="alice", sha256=digest(KEY), **more)])  # type: ignore[arg-type]


def bearer(key: str) -> tuple[bytes, bytes]:
    return (b"authorization", f"Bearer {key}".encode("latin-1"))


def refused(headers: list[tuple[bytes, bytes]], keys: KeyRing | None = None, now: float = NOW) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        authorise(ring() if keys is None else keys, headers, now)
    return caught.value.status, caught.value.code, caught.value.message


@given(st.binary(min_size=32, max_size=32))
def test_every_key_has_the_form_and_is_found_by_its_digest_alone(random: bytes) -> None:
    key = make_key(random)
    assert key.startswith("llmr_")
    assert len(key) == len("llmr_") + 43 + 6
    assert is_well_formed(key)
    assert digest(key) == hashlib.sha256(key.encode()).hexdigest()
    stored = ApiKey(name="a", sha256=digest(key))
    assert KeyRing([stored]).find(key, NOW) == stored


@given(st.binary(min_size=32, max_size=32), st.integers(5, 53), st.sampled_from(string.ascii_letters + string.digits))
def test_the_checksum_notices_one_changed_character(random: bytes, place: int, other: str) -> None:
    key = make_key(random)
    if key[place] != other:
        assert not is_well_formed(key[:place] + other + key[place + 1 :])


def test_a_key_is_made_of_32_bytes() -> None:
    with pytest.raises(ValueError, match="not 31"):
        make_key(bytes(31))


@pytest.mark.parametrize("expires", [NOW, NOW - 1])
def test_a_key_is_refused_from_the_moment_it_expires(expires: float) -> None:
    assert ring(expires=NOW + 1).find(KEY, NOW)
    assert ring(expires=expires).find(KEY, NOW) is None


@pytest.mark.parametrize("name", [b"authorization", b"x-api-key", b"api-key"])
def test_all_three_headers_carry_the_same_key_through_the_same_door(name: bytes) -> None:
    value = f"Bearer {KEY}" if name == b"authorization" else KEY
    headers = [(b"accept", b"*/*"), (name, value.encode())]
    assert extract(headers) == KEY
    assert authorise(ring(), headers, NOW).name == "alice"


@pytest.mark.parametrize("value", [f"Bearer {KEY}", f"bearer {KEY}", f"BEARER  {KEY} "])
def test_the_scheme_is_read_as_its_standard_says(value: str) -> None:
    assert extract([(b"authorization", value.encode())]) == KEY


def test_the_same_key_in_several_headers_is_one_credential() -> None:
    assert extract([bearer(KEY), (b"x-api-key", KEY.encode()), (b"api-key", KEY.encode())]) == KEY


@pytest.mark.parametrize(
    "second", [(b"x-api-key", OTHER.encode()), (b"api-key", b"x"), bearer(OTHER), (b"x-api-key", KEY.lower().encode())]
)
def test_two_different_credentials_are_refused_whichever_of_them_is_right(second: tuple[bytes, bytes]) -> None:
    for headers in ([bearer(KEY), second], [second, bearer(KEY)]):
        status, code, message = refused(headers)
        assert (status, code) == (400, "ambiguous_credentials")
        assert KEY not in message


def test_missing_unknown_expired_revoked_and_malformed_keys_are_answered_alike() -> None:
    answers = {
        refused([]),
        refused([bearer(OTHER)]),
        refused([bearer(KEY)], ring(expires=NOW)),
        refused([bearer(KEY)], KeyRing([])),
        refused([bearer("sk-something-else")]),
        refused([bearer(KEY[:-1])]),
        refused([bearer(digest(KEY))]),
        refused([(b"authorization", b"Basic YWxpY2U6cHc=")]),
        refused([(b"x-api-key", b"")]),
        refused([(b"x-api-key", b"\xff\x00\n'; DROP TABLE keys; --")]),
        refused([(b"authorization", b"Bearer " + b"a" * 100_000)]),
    }
    ((status, code, message),) = answers
    assert (status, code) == (401, "invalid_api_key")
    assert KEY not in message


@given(
    st.lists(st.tuples(st.sampled_from([b"authorization", b"x-api-key", b"api-key", b"host"]), st.binary()), max_size=4)
)
def test_arbitrary_headers_never_pass_and_never_raise_anything_else(headers: list[tuple[bytes, bytes]]) -> None:
    status, _, _ = refused(headers)
    assert status in (400, 401)


def test_a_key_does_not_show_what_it_is_made_of() -> None:
    assert KEY not in repr(ring().find(KEY, NOW))
    assert len(ring()) == 1
