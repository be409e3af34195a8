"""API keys: their form, finding them, and the one place that reads a caller's credential.

A key is ``llmr_``, 43 characters of base64url (256 random bits), and 6 characters of checksum, so that a mistyped or
half-copied one is told apart offline and scanners can recognise a leaked one. Only its SHA-256 is kept: with 256
random bits there is nothing that a slower hash would protect, and finding by digest leaks nothing through timing.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator

from msgspec import Struct

from ..config.schema import Budget, RateLimit
from ..errors import ClientError
from .load import Criticality

RANDOM_BYTES = 32
_PREFIX = "llmr_"
_FORM = re.compile(rf"{_PREFIX}([A-Za-z0-9_-]{{43}})([0-9A-Za-z]{{6}})", re.ASCII)
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY_HEADERS = (b"x-api-key", b"api-key")


class ApiKey(Struct, frozen=True, kw_only=True):
    """One key without the key. ``None`` scopes allow everything; ``strategies`` are those that a request with
    it may ask for; ``tags`` are compliance tags that every request with
    it requires; ``expires`` is the Unix time from which it is refused; ``criticality`` is the highest that a
    request with it may claim. ``limits`` and ``budget`` are what may be used with it."""

    name: str
    sha256: str
    models: frozenset[str] | None = None
    targets: frozenset[str] | None = None
    strategies: frozenset[str] | None = None
    tags: frozenset[str] = frozenset()
    expires: float | None = None
    criticality: Criticality = "default"
    limits: RateLimit | None = None
    budget: Budget | None = None


class KeyRing:
    """The keys that are known. Names and digests are taken to be unique; ``key_file`` refuses others."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._by_digest = {key.sha256: key for key in keys}

    def __len__(self) -> int:
        return len(self._by_digest)

    def __iter__(self) -> Iterator[ApiKey]:
        return iter(self._by_digest.values())

    def find(self, presented: str, now: float) -> ApiKey | None:
        """``now`` is Unix time. ``None`` for what is no key, unknown, revoked or expired."""
        if not is_well_formed(presented):
            return None
        key = self._by_digest.get(digest(presented))
        if key is None or (key.expires is not None and now >= key.expires):
            return None
        return key


def make_key(random: bytes) -> str:
    """The key made of 32 random bytes."""
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a key is made of {RANDOM_BYTES} random bytes, not {len(random)}")
    body = base64.urlsafe_b64encode(random).rstrip(b"=").decode("ascii")
    return f"{_PREFIX}{body}{_checksum(body)}"


def is_well_formed(presented: str) -> bool:
    """Whether it has the form of a key and its checksum is right."""
    found = _FORM.fullmatch(presented)
    return found is not None and found[2] == _checksum(found[1])


def digest(key: str) -> str:
    """What is stored of a key: SHA-256 in hex."""
    return hashlib.sha256(key.encode("ascii")).hexdigest()


def extract(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The credential in raw ASGI headers: ``Authorization: Bearer``, ``x-api-key`` or ``api-key``; ``None`` without.

    Raises ``ClientError`` 400 for two different ones: which of them counts must not depend on who looks.
    """
    presented = {value for name, raw in headers if (value := _credential(name, raw))}
    if len(presented) > 1:
        message = "Two different API keys in one request: send one of Authorization, x-api-key and api-key."
        raise ClientError(400, "ambiguous_credentials", message)
    return presented.pop() if presented else None


def authorise(ring: KeyRing, headers: Iterable[tuple[bytes, bytes]], now: float) -> ApiKey:
    """Whose request it is. ``now`` is Unix time.

    Raises ``ClientError`` 401, the same whether the key is missing, malformed, unknown, revoked or expired: the answer
    tells nobody which keys there are.
    """
    presented = extract(headers)
    key = ring.find(presented, now) if presented is not None else None
    if key is None:
        raise ClientError(401, "invalid_api_key", "No valid API key: send one as Authorization: Bearer llmr_….")
    return key


def _credential(name: bytes, raw: bytes) -> str | None:
    value = raw.decode("latin-1").strip()
    if name in _KEY_HEADERS:
        return value
    if name == b"authorization":
        scheme, _, rest = value.partition(" ")
        return rest.strip() if scheme.lower() == "bearer" else None
    return None


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode("ascii"))
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits
