"""What is kept of a password: scrypt's costs, salt and digest as one line, ``$scrypt$ln=16,r=8,p=2$SALT$DIGEST``.

The form is that of PHC strings, both values in base64 without padding, so other programs can make one too.
"""

from __future__ import annotations

import base64
import binascii
import re

from msgspec import Struct

_FORM = re.compile(r"\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,2}),p=([0-9]{1,2})\$([^$]+)\$([^$]+)", re.ASCII)
_LN = range(14, 19)
_R = range(8, 17)
_P = range(1, 11)
_SALT_BYTES = range(16, 65)
_DIGEST_BYTES = range(32, 65)


class PasswordHash(Struct, frozen=True):
    """``2**ln`` blocks of ``128 * r`` bytes, ``p`` times one after the other (RFC 7914)."""

    ln: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    @property
    def memory_bytes(self) -> int:
        return 128 * self.r * ((1 << self.ln) + self.p + 2)

    def __str__(self) -> str:
        return f"$scrypt$ln={self.ln},r={self.r},p={self.p}${_text(self.salt)}${_text(self.digest)}"


def parse_password_hash(text: str) -> PasswordHash:
    """Raises ``ValueError``, with a message that is safe to show, also for costs that protect too little or would take
    more than 512 MiB."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("no hash of a password: make one with llm-router keys password")
    ln, r, p = (int(cost) for cost in found.groups()[:3])
    if ln not in _LN or r not in _R or p not in _P:
        raise ValueError("scrypt's costs are out of bounds: ln from 14 to 18, r from 8 to 16, p from 1 to 10")
    salt, digest = _bytes(found[4]), _bytes(found[5])
    if len(salt) not in _SALT_BYTES or len(digest) not in _DIGEST_BYTES:
        raise ValueError("salt or digest of the password's hash is too short or too long, or no base64")
    return PasswordHash(ln, r, p, salt, digest)


def _text(value: bytes) -> str:
    return base64.b64encode(value).rstrip(b"=").decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
