"""Who has logged in to the admin listener. Nothing here outlives the process, and nobody can read an id out of it."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from ..config.password_hash import PasswordHash

ID_BYTES = 32
IDLE_S = 30 * 60.0
LONGEST_S = 12 * 3600.0
MOST_SESSIONS = 64
"""One more ends the one that has been used least recently."""


@dataclass(slots=True)
class _Session:
    opened_at: float
    used_at: float


class Sessions:
    """``now`` is monotonic seconds everywhere, ``password`` the one in force: sessions that another one opened end."""

    def __init__(self, random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._random = random
        self._by_digest: dict[str, _Session] = {}
        self._password: PasswordHash | None = None

    def __len__(self) -> int:
        return len(self._by_digest)

    def open(self, password: PasswordHash, now: float) -> str:
        """The id of a new one, 43 characters of base64url. ``password`` is the one that was given."""
        self._go_by(password)
        self._by_digest = {digest: session for digest, session in self._by_digest.items() if not _over(session, now)}
        while len(self._by_digest) >= MOST_SESSIONS:
            del self._by_digest[min(self._by_digest, key=lambda digest: self._by_digest[digest].used_at)]
        session_id = base64.urlsafe_b64encode(self._random(ID_BYTES)).rstrip(b"=").decode("ascii")
        self._by_digest[_digest(session_id)] = _Session(now, now)
        return session_id

    def knows(self, session_id: str, password: PasswordHash, now: float, *, used: bool = True) -> bool:
        """Whether it is open. ``used`` says that somebody is there, which keeps it open."""
        self._go_by(password)
        digest = _digest(session_id)
        session = self._by_digest.get(digest)
        if session is None:
            return False
        if _over(session, now):
            del self._by_digest[digest]
            return False
        if used:
            session.used_at = now
        return True

    def close(self, session_id: str) -> None:
        self._by_digest.pop(_digest(session_id), None)

    def _go_by(self, password: PasswordHash) -> None:
        if password != self._password:
            self._by_digest.clear()
            self._password = password


def _over(session: _Session, now: float) -> bool:
    return now - session.used_at >= IDLE_S or now - session.opened_at >= LONGEST_S


def _digest(session_id: str) -> str:
    """What is looked up: how long that takes says nothing about ids."""
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()
