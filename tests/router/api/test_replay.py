"""The memory replay store: each key once, a bounded number of them, whatever clocks do."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from llm_router.api.replay import KEPT_S, MAX_RUNS, MemoryReplayStore, ReplayStoreForgot, ReplayStoreFull, Seconds
from llm_router.upstream.signing import LIFETIME_S, SKEW_S

NOW = 1_794_000_000


def store(*, max_entries: int = 100) -> MemoryReplayStore:
    return MemoryReplayStore(max_entries=max_entries)


def used(answer: Coroutine[Any, Any, bool]) -> bool:
    """The memory never waits, so that no event loop is needed."""
    with pytest.raises(StopIteration) as ended:
        answer.send(None)
    return bool(ended.value.value)


def test_nonces_are_remembered_longer_than_a_signature_can_live() -> None:
    assert KEPT_S > SKEW_S + LIFETIME_S + SKEW_S


def test_a_key_is_new_once_and_never_again() -> None:
    replay = store()
    assert used(replay.use("a|1", NOW))
    assert not used(replay.use("a|1", NOW))
    assert used(replay.use("a|2", NOW + KEPT_S))
    assert not used(replay.use("a|1", NOW)), "remembered still"
    assert used(replay.use("a|3", NOW + KEPT_S + 1))
    with pytest.raises(ReplayStoreForgot):
        used(replay.use("a|1", NOW))


def test_keys_of_different_ids_do_not_meet() -> None:
    replay = store()
    assert used(replay.use("a|1", NOW))
    assert used(replay.use("b|1", NOW))


def test_a_known_key_is_a_replay_even_when_the_store_is_full() -> None:
    replay = store(max_entries=1)
    assert used(replay.use("a|1", NOW))
    assert not used(replay.use("a|1", NOW))
    with pytest.raises(ReplayStoreFull):
        used(replay.use("a|2", NOW))
    assert used(replay.use("a|2", NOW + KEPT_S + 1))


def test_clocks_that_were_ahead_for_a_while_lock_nobody_out_who_signs_by_the_right_time() -> None:
    """Not even where they were years ahead: seconds in which nothing was signed stay free."""
    replay, year_s = store(max_entries=KEPT_S + 10), 365 * 86400
    for second in (*range(NOW, NOW + 100), *range(NOW + 100 + year_s, NOW + 500 + year_s)):
        assert used(replay.use(f"ahead|{second}", second))
    for second in range(NOW + 500, NOW + 1500):
        assert used(replay.use(f"right|{second}", second))
    with pytest.raises(ReplayStoreForgot):
        used(replay.use("ahead|once more", NOW + 200 + year_s))


# ---------------------------------------------------------------- any clocks


class Gates(RuleBasedStateMachine):
    """A gate, a router that signs for it, and somebody who has a copy of all that was ever signed. Clocks are set to
    whatever, to the time of an old signature for instance.

    A signature is let in once at most. While clocks only go on, every honest one is let in, at however late a moment.
    """

    gate_at = router_at = NOW

    def __init__(self) -> None:
        super().__init__()
        self.replay = store(max_entries=1000)
        self.signed: list[tuple[str, int]] = []
        self.let_in: dict[str, int] = {}
        self.set_back = False

    @initialize(ahead_s=st.integers(-SKEW_S, SKEW_S))
    def begin(self, ahead_s: int) -> None:
        self.router_at = NOW + ahead_s

    @rule(count=st.integers(1, 3))
    def sign(self, count: int) -> None:
        for _ in range(count):
            self.signed.append((f"k|{len(self.signed)}", self.router_at))

    @precondition(lambda self: self.signed)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        """As the door judges it: the signature's time by the gate's clock, then the store."""
        key, created = data.draw(st.sampled_from(self.signed))
        if not created - SKEW_S <= self.gate_at <= created + LIFETIME_S + SKEW_S:
            return
        try:
            is_new = used(self.replay.use(key, created))
        except ReplayStoreForgot:
            is_new = False
        assert is_new or key in self.let_in or self.set_back, "an honest signature is refused"
        self.let_in[key] = self.let_in.get(key, 0) + is_new

    @rule(seconds=st.sampled_from((1, 10, LIFETIME_S + SKEW_S, KEPT_S, KEPT_S + 1, 3600)))
    def time_passes(self, seconds: int) -> None:
        self.gate_at += seconds
        self.router_at += seconds

    @precondition(lambda self: self.signed)
    @rule(data=st.data(), router_too=st.booleans())
    def a_clock_is_set(self, data: st.DataObject, router_too: bool) -> None:
        self.gate_at = data.draw(st.sampled_from(self.signed))[1]
        if router_too:
            self.router_at = self.gate_at
        self.set_back = True

    @invariant()
    def each_was_let_in_once_at_most(self) -> None:
        assert all(times <= 1 for times in self.let_in.values())


TestGates: Any = Gates.TestCase
TestGates.settings = settings(max_examples=100, stateful_step_count=40)


# ---------------------------------------------------------------- the seconds that are forgotten


@given(st.lists(st.integers(0, 60)))
def test_seconds_are_those_that_were_added(added: list[int]) -> None:
    seconds = Seconds()
    for second in added:
        seconds.add(second)
    assert {second for second in range(-2, 63) if second in seconds} == set(added)


@given(st.sets(st.integers(0, 10_000), min_size=MAX_RUNS, max_size=2 * MAX_RUNS))
def test_of_very_many_none_is_lost_and_the_newest_are_exact(added: set[int]) -> None:
    seconds = Seconds()
    for second in added:
        seconds.add(second)
    assert all(second in seconds for second in added)
    newest = sorted(added)[-MAX_RUNS // 4 :]
    held = {second for second in range(newest[0], 10_010) if second in seconds}
    assert held == set(newest)
