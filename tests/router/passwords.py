"""Passwords of the admin listener for tests, hashed with the least work that a configuration may say."""

from __future__ import annotations

import hashlib

from llm_router.config.password_hash import PasswordHash

PASSWORD = "tangerine-kazoo-thunderclap"


def quick_hash(password: str = PASSWORD, salt: bytes = b"0123456789abcdef") -> str:
    costs = {"n": 2**14, "r": 8, "p": 1, "maxmem": 2**25}
    return str(PasswordHash(14, 8, 1, salt, hashlib.scrypt(password.encode(), salt=salt, dklen=32, **costs)))
