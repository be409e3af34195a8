"""Profile llmr1: what is signed, what is accepted, and that nothing else is."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import string
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_router.upstream.signing import (
    COVERED,
    LIFETIME_S,
    SKEW_S,
    Refused,
    Signer,
    Verified,
    Verifier,
    authority_of,
    decode_secret,
    new_nonce,
)

NOW = 1_794_000_000
KEY = bytes(range(32))
SECRET = base64.b64encode(KEY).decode()
AUTHORITY, TARGET, KEY_ID = "aws.llm.example.com", "aws-us-west-2", "aws-us-west-2.1"
VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "fixtures/llmr1-vectors.json").read_text())


@dataclass(frozen=True)
class Message:
    """A request as a gate receives it."""

    method: str = "POST"
    path: bytes = b"/v1/chat/completions"
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b'{"model":"tiny"}'

    def header(self, name: bytes) -> bytes:
        return dict(self.headers)[name]

    def with_header(self, name: bytes, value: bytes) -> Message:
        return replace(self, headers=tuple((n, value if n == name else v) for n, v in self.headers))

    def without(self, name: bytes) -> Message:
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0] != name))


def signed(
    message: Message | None = None,
    *,
    now: float = NOW,
    signer: Signer | None = None,
    content_type: str = "application/json",
    request_id: str = "0193-abc",
) -> Message:
    message = message or Message()
    headers = (signer or Signer(KEY_ID, SECRET, AUTHORITY, TARGET)).sign(
        method=message.method,
        path=message.path.decode(),
        query=message.query.decode(),
        content_type=content_type,
        body=message.body,
        request_id=request_id,
        now=now,
    )
    pairs = (("host", "whatever.example"), ("content-type", content_type), *headers)
    return replace(message, headers=tuple((name.encode(), value.encode()) for name, value in pairs))


def verifier(**changes: Any) -> Verifier:
    given: dict[str, Any] = {"keys": {KEY_ID: KEY}, "target": TARGET, "authority": AUTHORITY, "not_before": 0}
    return Verifier(**{**given, **changes})


def verify(message: Message, *, now: float = NOW, by: Verifier | None = None) -> Verified:
    by = by or verifier()
    verified = by.verify_headers(message.method, message.path, message.query, message.headers, now)
    by.verify_body(verified, message.body, now)
    return verified


def refusal(message: Message, *, now: float = NOW, by: Verifier | None = None) -> str:
    with pytest.raises(Refused) as caught:
        verify(message, now=now, by=by)
    return caught.value.reason


# ---------------------------------------------------------------- known answers


def test_hmac_sha256_with_a_decoded_secret_gives_the_signature_of_rfc_9421_b_2_5() -> None:
    secret = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
    base = (
        '"date": Tue, 20 Apr 2021 02:07:55 GMT\n'
        '"@authority": example.com\n'
        '"content-type": application/json\n'
        '"@signature-params": ("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
    )
    head = hmac.new(decode_secret(secret), digestmod="sha256")
    head.update(base[:60].encode())
    mac = head.copy()
    mac.update(base[60:].encode())
    assert base64.b64encode(mac.digest()) == b"pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_frozen_vectors_are_signed_to_the_byte_and_verified(vector: Mapping[str, Any]) -> None:
    body = base64.b64decode(vector["body_base64"])
    signer = Signer(
        vector["key_id"],
        vector["secret"],
        vector["authority"],
        vector["target"],
        new_nonce=lambda: str(vector["nonce"]),
    )
    made = signer.sign(
        vector["method"],
        vector["path"],
        vector["query"],
        vector["content_type"],
        body,
        vector["request_id"],
        vector["now"] + 0.999,
    )
    assert dict(made) == vector["headers"]
    key = base64.b64decode(vector["secret"])
    mac = hmac.new(key, vector["signature_base"].encode(), hashlib.sha256).digest()
    assert vector["headers"]["signature"] == f"llmr=:{base64.b64encode(mac).decode()}:"
    headers = [(b"content-type", vector["content_type"].encode()), *((n.encode(), v.encode()) for n, v in made)]
    gate = Verifier(keys={vector["key_id"]: key}, target=vector["target"], authority=vector["authority"], not_before=0)
    verified = gate.verify_headers(
        vector["method"], vector["path"].encode(), vector["query"].encode(), headers, vector["now"]
    )
    gate.verify_body(verified, body, vector["now"])
    assert (verified.nonce, verified.request_id) == (vector["nonce"], vector["request_id"])


def test_there_are_twelve_vectors_and_each_covers_all_components() -> None:
    assert len({vector["name"] for vector in VECTORS}) == 12
    for vector in VECTORS:
        covered = [line.split(":")[0].strip('"') for line in vector["signature_base"].split("\n")]
        assert covered == [*COVERED, "@signature-params"]


# ---------------------------------------------------------------- another implementation's opinion


class _Keys(HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id: str) -> bytes:
        assert key_id == KEY_ID
        return KEY

    def resolve_private_key(self, key_id: str) -> bytes:
        raise NotImplementedError


@dataclass
class _Request:
    method: str
    url: str
    headers: dict[str, str]


PATH_TEXT = st.text(string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@", min_size=1, max_size=20)
QUERY_TEXT = st.text(string.ascii_letters + string.digits + "-._~=&+/?:@", max_size=30)


@settings(max_examples=150)
@given(
    method=st.sampled_from(["GET", "POST"]),
    path=st.lists(PATH_TEXT, min_size=1, max_size=4),
    query=QUERY_TEXT,
    body=st.binary(max_size=300),
    request_id=st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=64),
    content_type=st.sampled_from(["application/json", "application/json; charset=utf-8", "text/plain"]),
)
def test_what_we_sign_verifies_with_the_http_message_signatures_library(
    method: str, path: list[str], query: str, body: bytes, request_id: str, content_type: str
) -> None:
    # "." and ".." never are a request's path segments: the library normalises them away before it compares.
    segments = [segment if segment.strip(".") else "x" for segment in path]
    message = signed(
        Message(method, ("/" + "/".join(segments)).encode(), query.encode(), body=body),
        now=time.time(),
        request_id=request_id,
        content_type=content_type,
    )
    target = message.path.decode() + (f"?{query}" if query else "")
    headers = {name.decode(): value.decode() for name, value in message.headers}
    library = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=_Keys())
    results = library.verify(
        _Request(method, f"https://{AUTHORITY}{target}", headers),
        expect_tag="llmr1",
        require_components=COVERED,
        max_age=datetime.timedelta(seconds=LIFETIME_S + SKEW_S),
        body=body,
    )
    assert results[0].body == body
    verify(message, now=time.time())


# ---------------------------------------------------------------- alterations


def _changed(data: bytes, at: int, by: int) -> bytes:
    """``data`` with one byte replaced by another one that a header may contain."""
    at %= len(data)
    replacement = 0x21 + (data[at] - 0x21 + by) % 94
    return data[:at] + bytes([replacement]) + data[at + 1 :]


SIGNED_HEADERS = (
    b"content-type",
    b"content-digest",
    b"x-llmr-target",
    b"x-llmr-request-id",
    b"signature-input",
    b"signature",
)


@settings(max_examples=800)
@given(
    where=st.sampled_from(["method", "path", "query", "body", *SIGNED_HEADERS]),
    at=st.integers(0, 10_000),
    by=st.integers(1, 93),
)
def test_any_single_changed_byte_is_refused(where: str | bytes, at: int, by: int) -> None:
    good = signed(Message(query=b"a=1&b=2"))
    if isinstance(where, bytes):
        bad = good.with_header(where, _changed(good.header(where), at, by))
    elif where == "method":
        bad = replace(good, method=_changed(good.method.encode(), at, by).decode())
    elif where == "path":
        bad = replace(good, path=_changed(good.path, at, by))
    elif where == "query":
        bad = replace(good, query=_changed(good.query, at, by))
    else:
        bad = replace(good, body=_changed(good.body, at, by))
    assert bad != good
    refusal(bad)


@settings(max_examples=300)
@given(where=st.sampled_from(SIGNED_HEADERS), at=st.integers(0, 500), insert=st.binary(min_size=1, max_size=3))
def test_inserted_or_removed_bytes_are_refused(where: bytes, at: int, insert: bytes) -> None:
    good = signed()
    value = good.header(where)
    at %= len(value)
    longer, shorter = value[:at] + insert + value[at:], value[:at] + value[at + 1 :]
    for altered in (longer, shorter):
        if altered.strip(b" \t") != value:
            refusal(good.with_header(where, altered))


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(SIGNED_HEADERS), st.binary(max_size=200)), max_size=8), st.binary())
def test_arbitrary_headers_are_refused_and_nothing_else_is_raised(
    headers: list[tuple[bytes, bytes]], path: bytes
) -> None:
    refusal(Message(path=path, headers=tuple(headers)))


@settings(max_examples=200)
@given(
    body=st.binary(max_size=200),
    request_id=st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=64),
    query=QUERY_TEXT,
    now=st.floats(1, 4e9),
    delay=st.floats(-SKEW_S + 1, LIFETIME_S + SKEW_S - 1),
)
def test_everything_honestly_signed_and_in_time_is_accepted(
    body: bytes, request_id: str, query: str, now: float, delay: float
) -> None:
    message = signed(Message(query=query.encode(), body=body), now=now, request_id=request_id)
    assert verify(message, now=now + delay).request_id == request_id


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"llmr=(", b"other=(", id="another label"),
        pytest.param(b'"@query" ', b"", id="a component missing"),
        pytest.param(b'"@method" "@authority"', b'"@authority" "@method"', id="components reordered"),
        pytest.param(b'"@query"', b'"@query" "@scheme"', id="a component more"),
        pytest.param(b'"@query"', b'"@query" "@query"', id="a component twice"),
        pytest.param(b'" "', b'"  "', id="two spaces"),
        pytest.param(b'"hmac-sha256"', b'"none"', id="alg none"),
        pytest.param(b'"hmac-sha256"', b'"hmac-sha1"', id="alg sha1"),
        pytest.param(b'"hmac-sha256"', b'"ed25519"', id="alg ed25519"),
        pytest.param(b';alg="hmac-sha256"', b"", id="no alg"),
        pytest.param(b'tag="llmr1"', b'tag="llmr2"', id="another tag"),
        pytest.param(b';tag="llmr1"', b"", id="no tag"),
        pytest.param(b'tag="llmr1"', b'tag="llmr1";x=1', id="a parameter more"),
        pytest.param(b";created=", b"; created=", id="space before a parameter"),
        pytest.param(b"created=1", b"created=-1", id="negative time"),
        pytest.param(b"created=1", b"created=1.5;x=1", id="fractional time"),
        pytest.param(b"created=1", b"created=01", id="leading zero"),
        pytest.param(b"created=1", b"created=9223372036854775808;x=1", id="time beyond 64 bits"),
        pytest.param(b'nonce="', b'nonce="A', id="nonce too long"),
        pytest.param(b'nonce="', b'nonce="=', id="nonce of other characters"),
    ],
)
def test_signature_input_has_one_spelling(old: bytes, new: bytes) -> None:
    good = signed()
    value = good.header(b"signature-input")
    assert refusal(good.with_header(b"signature-input", value.replace(old, new, 1))) == "malformed"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param(b"signature", lambda v: v + b", other=:AAAA:", id="two signatures in one line"),
        pytest.param(b"signature-input", lambda v: v + b", " + v, id="two inputs in one line"),
        pytest.param(b"content-digest", lambda v: v + b", " + v, id="two digests in one line"),
        pytest.param(b"content-digest", lambda v: v.replace(b"sha-256", b"sha-512"), id="sha-512"),
        pytest.param(b"content-digest", lambda _: b"md5=:1B2M2Y8AsgTpgAmY7PhCfg==:", id="md5"),
        pytest.param(b"signature", lambda v: v[:-3] + b"B=:", id="base64 with spare bits set"),
        pytest.param(b"signature", lambda v: v.replace(b"=:", b":", 1), id="truncated start"),
        pytest.param(b"x-llmr-request-id", lambda _: b"a" * 65, id="request id too long"),
        pytest.param(b"x-llmr-request-id", lambda _: b"a b", id="request id of other characters"),
        pytest.param(b"signature-input", lambda _: b"(" * 65_000, id="64 kB of brackets"),
    ],
)
def test_malformed_values_are_refused(name: bytes, change: Callable[[bytes], bytes]) -> None:
    good = signed()
    assert refusal(good.with_header(name, change(good.header(name)))) == "malformed"


@pytest.mark.parametrize("name", SIGNED_HEADERS)
def test_each_signed_header_must_occur_exactly_once(name: bytes) -> None:
    good = signed()
    assert refusal(good.without(name)) == "missing_header"
    twice = replace(good, headers=(*good.headers, (name, good.header(name))))
    assert refusal(twice) == "duplicate_header"


def test_a_request_without_any_signature_is_told_apart_in_the_metric() -> None:
    assert refusal(signed().without(b"signature").without(b"signature-input")) == "unsigned"


def test_whitespace_around_a_header_value_does_not_matter() -> None:
    good = signed()
    verify(good.with_header(b"content-type", b" application/json\t"))


# ---------------------------------------------------------------- time, keys, names


@pytest.mark.parametrize(
    ("delay_s", "reason"),
    [
        (-6, "created_in_future"),
        (-SKEW_S, None),
        (0, None),
        (LIFETIME_S + SKEW_S, None),
        (LIFETIME_S + SKEW_S + 0.9, None),
        (LIFETIME_S + SKEW_S + 1, "expired"),
    ],
)
def test_signatures_live_a_minute_with_five_seconds_of_skew_in_whole_seconds(
    delay_s: float, reason: str | None
) -> None:
    message = signed(now=NOW)
    if reason is None:
        verify(message, now=NOW + delay_s)
    else:
        assert refusal(message, now=NOW + delay_s) == reason


def _signed_by_hand(created: int, expires: int) -> Message:
    """As ``Signer`` would sign if it let one choose the times."""
    good = signed()
    params = good.header(b"signature-input").replace(b"created=%d" % NOW, b"created=%d" % created)
    params = params.replace(b"expires=%d" % (NOW + LIFETIME_S), b"expires=%d" % expires)
    base = "\n".join(
        [
            '"@method": POST',
            f'"@authority": {AUTHORITY}',
            '"@path": /v1/chat/completions',
            '"@query": ?',
            '"content-type": application/json',
            f'"content-digest": {good.header(b"content-digest").decode()}',
            f'"x-llmr-target": {TARGET}',
            '"x-llmr-request-id": 0193-abc',
            f'"@signature-params": {params.decode().removeprefix("llmr=")}',
        ]
    )
    mac = base64.b64encode(hmac.digest(KEY, base.encode(), "sha256"))
    return good.with_header(b"signature-input", params).with_header(b"signature", b"llmr=:" + mac + b":")


@pytest.mark.parametrize(
    ("lifetime_s", "reason"), [(60, None), (1, None), (0, None), (61, "lifetime"), (-1, "lifetime")]
)
def test_no_signature_may_live_longer_than_a_minute(lifetime_s: int, reason: str | None) -> None:
    message = _signed_by_hand(NOW, NOW + lifetime_s)
    if reason is None:
        verify(message)
    else:
        assert refusal(message) == reason


def test_what_has_expired_is_refused_by_its_headers_before_a_byte_of_the_body_is_read() -> None:
    late, message = NOW + LIFETIME_S + SKEW_S + 1, signed()
    with pytest.raises(Refused, match="expired"):
        verifier().verify_headers(message.method, message.path, message.query, message.headers, late)


def test_what_was_signed_before_the_gate_started_is_refused() -> None:
    started = verifier(not_before=NOW)
    assert refusal(signed(now=NOW - 0.1), by=started) == "before_start"
    verify(signed(now=NOW), by=started)


def test_a_body_that_arrives_after_the_signature_expired_is_refused() -> None:
    gate, message = verifier(), signed()
    verified = gate.verify_headers(message.method, message.path, message.query, message.headers, NOW + 60)
    with pytest.raises(Refused, match="expired"):
        gate.verify_body(verified, message.body, NOW + LIFETIME_S + SKEW_S + 1)


def test_an_altered_body_is_refused_by_its_digest() -> None:
    assert refusal(replace(signed(), body=b'{"model":"tinz"}')) == "digest"


def test_two_keys_are_active_while_they_rotate_and_a_removed_one_is_unknown() -> None:
    next_key = bytes(range(32, 64))
    with_next = Signer("aws-us-west-2.2", base64.b64encode(next_key).decode(), AUTHORITY, TARGET)
    both = verifier(keys={KEY_ID: KEY, "aws-us-west-2.2": next_key})
    assert verify(signed(), by=both).key_id == KEY_ID
    assert verify(signed(signer=with_next), by=both).key_id == "aws-us-west-2.2"
    assert refusal(signed(), by=verifier(keys={"aws-us-west-2.2": next_key})) == "unknown_key"


def test_a_key_of_another_cluster_verifies_nowhere_else() -> None:
    other = Signer(KEY_ID, base64.b64encode(bytes(32) + b"other").decode(), AUTHORITY, TARGET)
    assert refusal(signed(signer=other)) == "signature"


def test_a_request_for_another_cluster_is_refused() -> None:
    assert refusal(signed(signer=Signer(KEY_ID, SECRET, AUTHORITY, "gcp-eu"))) == "target"
    assert refusal(signed(signer=Signer(KEY_ID, SECRET, "gcp.llm.example.com", TARGET))) == "signature"


def test_the_received_host_is_of_no_importance() -> None:
    verify(signed().with_header(b"host", b"rewritten-by-an-ingress:1234"))


def test_every_request_gets_its_own_nonce_of_128_bits() -> None:
    nonces = {new_nonce() for _ in range(1000)}
    assert len(nonces) == 1000
    assert {len(nonce) for nonce in nonces} == {22}
    first, second = verify(signed()), verify(signed())
    assert first.replay_key != second.replay_key
    assert first.replay_key == f"{KEY_ID}|{first.nonce}", "what gates share in Redis keeps its name"


def test_paths_that_callers_make_up_do_not_fill_a_signers_memory() -> None:
    signer = Signer(KEY_ID, SECRET, AUTHORITY, TARGET)
    for number in range(200):
        verify(signed(Message(path=b"/%d" % number), signer=signer))
        assert len(signer._heads) <= 64
    heads = [signer._head("POST", path, "", "application/json") for path in ("/198", "/199")]
    again = [signer._head("POST", path, "", "application/json") for path in ("/198", "/199")]
    assert heads == again, "each kind of request is worked out once"


# ---------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    "bad", ["", "changeme", "not base64!", base64.urlsafe_b64encode(b"\xff" * 33).decode(), "QUJD"]
)
def test_a_secret_that_is_no_key_is_refused_with_the_way_to_make_one(bad: str) -> None:
    with pytest.raises(ValueError, match="openssl rand -base64 32"):
        decode_secret(bad)


def test_a_secret_of_32_bytes_is_long_enough_and_one_of_31_is_not() -> None:
    assert decode_secret(base64.b64encode(bytes(range(32))).decode()) == bytes(range(32))
    with pytest.raises(ValueError, match="openssl rand"):
        decode_secret(base64.b64encode(bytes(range(31))).decode())


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://AWS.llm.Example.com", "aws.llm.example.com"),
        ("https://aws.llm.example.com:443/v1", "aws.llm.example.com"),
        ("http://aws.llm.example.com:80", "aws.llm.example.com"),
        ("https://aws.llm.example.com:8443/", "aws.llm.example.com:8443"),
        ("http://127.0.0.1:18443", "127.0.0.1:18443"),
        ("http://[::1]:18443", "[::1]:18443"),
        ("https://[2001:DB8::1]", "[2001:db8::1]"),
    ],
)
def test_the_authority_of_an_endpoint(url: str, authority: str) -> None:
    assert authority_of(url) == authority


@pytest.mark.parametrize(
    "url",
    ["aws.llm.example.com", "ftp://x", "https://", "https://user:key@x", "https://käse.example", "https://x:99999"],
)
def test_an_endpoint_without_a_usable_authority_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        authority_of(url)


@pytest.mark.parametrize(("key_id", "target"), [("", TARGET), (KEY_ID, ""), ('a"b', TARGET), (KEY_ID, "a b")])
def test_names_that_would_not_fit_the_grammar_are_refused_at_once(key_id: str, target: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        Signer(key_id, SECRET, AUTHORITY, target)


@pytest.mark.parametrize("request_id", ["", "a" * 65, "a\r\nx: y", "é"])
def test_a_request_id_that_no_gate_would_take_is_refused_when_signing(request_id: str) -> None:
    with pytest.raises(ValueError, match="request id"):
        signed(request_id=request_id)
