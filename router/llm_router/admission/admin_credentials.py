"""What opens the admin listener, as the configuration in force has it."""

from __future__ import annotations

from dataclasses import dataclass

from ..config.load import Loaded
from ..config.password_hash import PasswordHash, parse_password_hash
from .key_file import load_keys
from .keys import KeyRing


@dataclass(frozen=True, slots=True)
class AdminCredentials:
    """Without a ``password`` nobody is asked; ``keys`` are those of programs."""

    password: PasswordHash | None
    keys: KeyRing


def admin_credentials(loaded: Loaded) -> AdminCredentials:
    """Reads the keys' file. Raises ``ConfigError``."""
    written, keys_file = loaded.config.admin.password_hash, loaded.admin_keys_file
    return AdminCredentials(
        None if written is None else parse_password_hash(written),
        KeyRing(() if keys_file is None else load_keys(keys_file)),
    )
