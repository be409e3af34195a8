"""Sessions: open for as long as somebody is there, never longer than half a day, and gone with their password."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from llm_router.admission.sessions import IDLE_S, LONGEST_S, MOST_SESSIONS, Sessions
from llm_router.config.password_hash import PasswordHash

PASSWORDS = tuple(PasswordHash(14, 8, 1, bytes([n]) * 16, b"d" * 32) for n in range(2))


def numbered() -> Any:
    numbers = itertools.count()
    return lambda length: next(numbers).to_bytes(length)


def test_ids_are_256_random_bits_and_nothing_that_is_kept_tells_them() -> None:
    sessions = Sessions()
    ids = {sessions.open(PASSWORDS[0], 0.0) for _ in range(20)}
    assert {len(session_id) for session_id in ids} == {43}
    assert not any(session_id in repr(vars(sessions)) for session_id in ids)


def test_one_more_than_there_may_be_ends_the_one_least_used() -> None:
    sessions = Sessions(numbered())
    first, second, *others = [sessions.open(PASSWORDS[0], float(n)) for n in range(MOST_SESSIONS)]
    assert sessions.knows(first, PASSWORDS[0], 100.0)
    last = sessions.open(PASSWORDS[0], 101.0)
    assert len(sessions) == MOST_SESSIONS
    assert not sessions.knows(second, PASSWORDS[0], 102.0)
    assert all(sessions.knows(one, PASSWORDS[0], 102.0) for one in (first, last, *others))


class SessionWalk(RuleBasedStateMachine):
    """Against what the rules say, one by one."""

    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.sessions, self.now, self.password = Sessions(numbered()), 0.0, PASSWORDS[0]
        self.expected: dict[str, tuple[float, float]] = {}

    @rule(target=ids)
    def log_in(self) -> str:
        session_id = self.sessions.open(self.password, self.now)
        assert session_id not in self.expected
        self.expected = {one: times for one, times in self.expected.items() if self._open(times)}
        if len(self.expected) >= MOST_SESSIONS:
            del self.expected[min(self.expected, key=lambda one: self.expected[one][1])]
        self.expected[session_id] = (self.now, self.now)
        return session_id

    @rule(target=ids)
    def make_one_up(self) -> Any:
        assert not self.sessions.knows("B" * 43, self.password, self.now)
        assert not self.sessions.knows("", self.password, self.now)
        return multiple()

    @rule(seconds=st.sampled_from([0.5, 60.0, IDLE_S - 1, IDLE_S, 3 * IDLE_S, LONGEST_S]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(session_id=ids, used=st.booleans())
    def use(self, session_id: str, used: bool) -> None:
        times = self.expected.get(session_id)
        open_ = times is not None and self._open(times)
        assert self.sessions.knows(session_id, self.password, self.now, used=used) == open_
        if not open_:
            self.expected.pop(session_id, None)
        elif used and times is not None:
            self.expected[session_id] = (times[0], self.now)

    @rule(session_id=ids)
    def log_out(self, session_id: str) -> None:
        self.sessions.close(session_id)
        self.expected.pop(session_id, None)

    @rule(session_id=ids)
    def change_the_password(self, session_id: str) -> None:
        """Whoever asks first afterwards: nobody is in."""
        self.password = PASSWORDS[self.password == PASSWORDS[0]]
        assert not self.sessions.knows(session_id, self.password, self.now)
        self.expected.clear()

    @invariant()
    def no_more_than_there_may_be(self) -> None:
        assert len(self.sessions) <= MOST_SESSIONS

    def _open(self, times: tuple[float, float]) -> bool:
        opened_at, used_at = times
        return self.now - used_at < IDLE_S and self.now - opened_at < LONGEST_S


TestSessionWalk = SessionWalk.TestCase
