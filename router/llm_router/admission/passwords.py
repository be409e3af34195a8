"""The password of the admin listener: which one may be chosen, and whether somebody knows it."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata

from ..config.password_hash import PasswordHash

LEAST_CHARACTERS = 15
MOST_CHARACTERS = 256
SALT_BYTES = 16
_LN, _R, _P = 16, 8, 2
"""64 MiB, twice: as much work as OWASP asks of scrypt (2**17 once), in half of the memory."""

_COMMON = re.compile(
    r"password|passwort|passw0rd|passphrase|admin(?:istrator)?|welcome|letmein|changeme|default|secret|login|master"
    r"|qwertyuiop|asdfghjkl|zxcvbnm|qwerty|qwertz|azerty|iloveyou|monkey|dragon|football|baseball|sunshine|princess"
    r"|trustno1|hunter2|starwars|superman|batman|whatever|example|sample|demo|test|your|shared|the|my"
    r"|llm|router|root|user|abc|xyz|correct|horse|battery|staple"
)
_LEAST_OWN = 5
"""Characters that must be left once common words, digits and punctuation are out."""


def password_fault(password: str) -> str | None:
    """Why nobody should choose this one; ``None`` where it will do."""
    text = _normal(password)
    if not text.isprintable():
        return "it holds a control character"
    if len(text) < LEAST_CHARACTERS:
        return f"shorter than {LEAST_CHARACTERS} characters"
    if len(text) > MOST_CHARACTERS:
        return f"longer than {MOST_CHARACTERS} characters"
    own = _COMMON.sub("", re.sub(r"[\W\d_]+", "", text.casefold()))
    if len(set(text)) < _LEAST_OWN or len(set(own)) < _LEAST_OWN:
        return "made of common words, digits or few characters alone: it would be among the first that are tried"
    return None


def hash_password(password: str, salt: bytes) -> PasswordHash:
    """``salt`` is random. Takes some tenths of a second and 64 MiB."""
    costs = PasswordHash(_LN, _R, _P, salt, b"")
    return PasswordHash(_LN, _R, _P, salt, _scrypt(password, costs, 32))


def is_right(password: str, known: PasswordHash) -> bool:
    """Takes the same time whatever is wrong with ``password``; other threads run meanwhile."""
    return hmac.compare_digest(_scrypt(password, known, len(known.digest)), known.digest)


def _scrypt(password: str, costs: PasswordHash, length: int) -> bytes:
    return hashlib.scrypt(
        _normal(password).encode("utf-8", "surrogatepass"),
        salt=costs.salt,
        n=2**costs.ln,
        r=costs.r,
        p=costs.p,
        maxmem=costs.memory_bytes + 1024 * 1024,
        dklen=length,
    )


def _normal(password: str) -> str:
    """One form for what keyboards spell differently (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password)
