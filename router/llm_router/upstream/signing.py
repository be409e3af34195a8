"""Profile ``llmr1``: how the router signs what it sends to a cluster, and how the gate verifies it. Pure: the clock
and the nonces are handed in.

RFC 9421 HTTP Message Signatures with HMAC-SHA256 and RFC 9530 ``Content-Digest``, narrowed to one form: eight covered
components and six parameters, all mandatory, in one order, in one spelling. What does not match it byte for byte is
refused, so that two implementations cannot read one message in two ways::

    content-digest: sha-256=:…:
    x-llmr-target: aws-us-west-2
    x-llmr-request-id: 0199b6f2-…
    signature-input: llmr=("@method" "@authority" "@path" "@query" "content-type" "content-digest" "x-llmr-target"
        "x-llmr-request-id");created=1794000000;expires=1794000060;keyid="aws-us-west-2.1";nonce="…";
        alg="hmac-sha256";tag="llmr1"                            (one line)
    signature: llmr=:…:

``@authority`` is what both sides are configured with, never a received Host. Times are whole seconds, floored.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from ..config.secrets import MIN_HMAC_BYTES, hmac_key
from ..errors import RouterError

LIFETIME_S = 60
SKEW_S = 5

COVERED = (
    "@method",
    "@authority",
    "@path",
    "@query",
    "content-type",
    "content-digest",
    "x-llmr-target",
    "x-llmr-request-id",
)
_LIST = "(" + " ".join(f'"{component}"' for component in COVERED) + ")"
_END = ';alg="hmac-sha256";tag="llmr1"'

# The last of 43 base64 digits carries four bits of the 32 bytes: only these leave the two spare bits zero.
_SHA256_B64 = r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="
_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_REQUEST_ID = r"[A-Za-z0-9-]{1,64}"

_INPUT = re.compile(
    rf"llmr=({re.escape(_LIST)};created=([1-9][0-9]{{0,14}});expires=([1-9][0-9]{{0,14}})"
    rf';keyid="({_ID})";nonce="([A-Za-z0-9_-]{{22}})"{_END})'.encode()
)
_SIGNATURE = re.compile(rf"llmr=:({_SHA256_B64}):".encode())
_DIGEST = re.compile(rf"sha-256=:({_SHA256_B64}):".encode())
_REQUEST_ID_BYTES = re.compile(_REQUEST_ID.encode())
_REQUEST_ID_TEXT = re.compile(_REQUEST_ID)

_HEADERS = frozenset(
    {b"content-type", b"content-digest", b"x-llmr-target", b"x-llmr-request-id", b"signature-input", b"signature"}
)
_CACHED_HEADS = 64


class Refused(RouterError):
    """A signature is refused. ``reason`` is for the gate's metric alone: the sender learns nothing but the refusal."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode_secret(text: str) -> bytes:
    """The HMAC key of a configured secret: standard base64 with padding, at least 32 random bytes. Else
    ``ValueError``, which says how to make one."""
    return hmac_key(text)


def authority_of(endpoint_url: str) -> str:
    """``@authority`` for an endpoint: its host in lower case, with the port unless that is 80 or 443.

    Raises ``ValueError`` for anything but an http or https URL with an ASCII host and without credentials.
    """
    parts = urlsplit(endpoint_url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{endpoint_url!r} is not an http:// or https:// URL")
    host = parts.hostname
    if not host or not host.isascii():
        raise ValueError(f"{endpoint_url!r} has no ASCII host name (write an international name in its xn-- form)")
    if "@" in parts.netloc:
        raise ValueError("an endpoint must not carry credentials in its URL")
    if ":" in host:
        host = f"[{host}]"
    return host if parts.port in (None, 80, 443) else f"{host}:{parts.port}"


def new_nonce() -> str:
    """16 random bytes as 22 characters of base64url."""
    return secrets.token_urlsafe(16)


class Signer:
    """Signs requests to one target with one key. ``secret_b64`` as in ``decode_secret``."""

    __slots__ = ("_authority", "_heads", "_key_id", "_mac", "_new_nonce", "_target")

    def __init__(
        self,
        key_id: str,
        secret_b64: str,
        authority: str,
        target: str,
        *,
        new_nonce: Callable[[], str] = new_nonce,
    ) -> None:
        self._key_id = _checked(key_id, "key id")
        self._target = _checked(target, "target")
        self._authority = authority
        self._mac = hmac.new(decode_secret(secret_b64), digestmod="sha256")
        self._heads: dict[tuple[str, str, str, str], hmac.HMAC] = {}
        self._new_nonce = new_nonce

    def sign(
        self, method: str, path: str, query: str, content_type: str, body: bytes, request_id: str, now: float
    ) -> tuple[tuple[str, str], ...]:
        """The headers to add. The caller sends ``content_type`` itself, on requests without a body too.

        ``path`` and ``query`` are those of the request line, still encoded, the query without its question mark.
        ``now`` is Unix time. Raises ``ValueError`` for a ``request_id`` that no gate would take, and for text that is
        not ASCII.
        """
        if _REQUEST_ID_TEXT.fullmatch(request_id) is None:
            raise ValueError(f"a request id is 1 to 64 letters, digits and hyphens, not {request_id!r}")
        created = int(now)
        digest = f"sha-256=:{_b64(hashlib.sha256(body).digest())}:"
        params = (
            f'{_LIST};created={created};expires={created + LIFETIME_S};keyid="{self._key_id}"'
            f';nonce="{self._new_nonce()}"{_END}'
        )
        mac = self._head(method, path, query, content_type).copy()
        mac.update(_tail(digest, self._target, request_id, params).encode("ascii"))
        return (
            ("content-digest", digest),
            ("x-llmr-target", self._target),
            ("x-llmr-request-id", request_id),
            ("signature-input", f"llmr={params}"),
            ("signature", f"llmr=:{_b64(mac.digest())}:"),
        )

    def _head(self, method: str, path: str, query: str, content_type: str) -> hmac.HMAC:
        """The MAC's state after the part that requests of one kind share; it is most of the text."""
        key = (method, path, query, content_type)
        head = self._heads.get(key)
        if head is None:
            head = self._mac.copy()
            head.update(_head(method, self._authority, path, query, content_type).encode("ascii"))
            if len(self._heads) >= _CACHED_HEADS:
                self._heads.clear()
            self._heads[key] = head
        return head


class Verified(Struct, frozen=True, kw_only=True):
    """What a verified signature says. The body's digest is signed, the body itself is still to be read."""

    key_id: str
    nonce: str
    request_id: str
    content_type: bytes
    content_digest: bytes
    created: int
    expires: int

    @property
    def replay_key(self) -> str:
        return f"{self.key_id}|{self.nonce}"


class Verifier:
    """Verifies requests to one target.

    ``keys`` are the active keys by id, ``not_before`` is the whole second (Unix time) before which nothing that was
    signed counts: signatures from before a restart may have been used already.
    """

    def __init__(self, *, keys: Mapping[str, bytes], target: str, authority: str, not_before: int) -> None:
        self.rekey(keys)
        self._decoy = hmac.new(os.urandom(MIN_HMAC_BYTES), digestmod="sha256")
        self._authority, self._target = authority, target
        self._not_before = not_before

    def rekey(self, keys: Mapping[str, bytes]) -> None:
        """From now on these are the active keys."""
        self._macs = {key_id.encode(): hmac.new(key, digestmod="sha256") for key_id, key in keys.items()}

    def verify_headers(
        self, method: str, path: bytes, query: bytes, headers: Iterable[tuple[bytes, bytes]], now: float
    ) -> Verified:
        """Verify all but the body, before a byte of it is read. Raises ``Refused``.

        ``path`` and ``query`` as received, still encoded; header names in lower case (ASGI's form).
        """
        found = _signed_headers(headers)
        params = _INPUT.fullmatch(found[b"signature-input"])
        signature = _SIGNATURE.fullmatch(found[b"signature"])
        request_id = found[b"x-llmr-request-id"]
        digest = found[b"content-digest"]
        if params is None or signature is None or _DIGEST.fullmatch(digest) is None:
            raise Refused("malformed")
        if _REQUEST_ID_BYTES.fullmatch(request_id) is None:
            raise Refused("malformed")
        created, expires = int(params[2]), int(params[3])
        self._check_times(created, expires, int(now))
        if _text(found, b"x-llmr-target") != self._target:
            raise Refused("target")
        base = self._base(method, path, query, found, params[1])
        known = self._macs.get(params[4])
        mac = (known or self._decoy).copy()
        mac.update(base)
        if not hmac.compare_digest(mac.digest(), binascii.a2b_base64(signature[1])) or known is None:
            raise Refused("signature" if known is not None else "unknown_key")
        return Verified(
            key_id=params[4].decode(),
            nonce=params[5].decode(),
            request_id=request_id.decode(),
            content_type=found[b"content-type"],
            content_digest=digest,
            created=created,
            expires=expires,
        )

    def verify_body(self, verified: Verified, body: bytes, now: float) -> None:
        """Verify the body, and the expiry once more: a body may be sent slowly, and a nonce is remembered only as
        long as a signature that arrives whole can live. Raises ``Refused``."""
        digest = b"sha-256=:" + binascii.b2a_base64(hashlib.sha256(body).digest(), newline=False) + b":"
        if not hmac.compare_digest(digest, verified.content_digest):
            raise Refused("digest")
        if int(now) > verified.expires + SKEW_S:
            raise Refused("expired")

    def _check_times(self, created: int, expires: int, now: int) -> None:
        if not 0 <= expires - created <= LIFETIME_S:
            raise Refused("lifetime")
        if created > now + SKEW_S:
            raise Refused("created_in_future")
        if now > expires + SKEW_S:
            raise Refused("expired")
        if created < self._not_before:
            raise Refused("before_start")

    def _base(self, method: str, path: bytes, query: bytes, found: Mapping[bytes, bytes], params: bytes) -> bytes:
        """The signature base over the received bytes (Latin-1 carries each of them unchanged)."""
        text = _head(
            method, self._authority, path.decode("latin-1"), query.decode("latin-1"), _text(found, b"content-type")
        ) + _tail(
            _text(found, b"content-digest"),
            self._target,
            _text(found, b"x-llmr-request-id"),
            params.decode("latin-1"),
        )
        return text.encode("latin-1")


def _head(method: str, authority: str, path: str, query: str, content_type: str) -> str:
    """The signature base (RFC 9421, section 2.5) up to where one request differs from the next of its kind."""
    return (
        f'"@method": {method}\n"@authority": {authority}\n"@path": {path}\n"@query": ?{query}\n'
        f'"content-type": {content_type}\n"content-digest": '
    )


def _tail(digest: str, target: str, request_id: str, params: str) -> str:
    return f'{digest}\n"x-llmr-target": {target}\n"x-llmr-request-id": {request_id}\n"@signature-params": {params}'


def _signed_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The six headers of the profile, each exactly once: values that arrive twice are refused, never joined."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _HEADERS:
            if name in found:
                raise Refused("duplicate_header")
            found[name] = value.strip(b" \t")
    if len(found) < len(_HEADERS):
        signed = b"signature" in found or b"signature-input" in found
        raise Refused("missing_header" if signed else "unsigned")
    return found


def _text(found: Mapping[bytes, bytes], name: bytes) -> str:
    return found[name].decode("latin-1")


def _b64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


def _checked(value: str, what: str) -> str:
    if re.fullmatch(_ID, value) is None:
        raise ValueError(
            f"a {what} is 1 to 128 letters, digits, dots, hyphens and underscores, beginning with a letter or digit, "
            f"not {value!r}"
        )
    return value
