"""What attempts teach about a target is on the board for the next decision."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llm_router.config.scalars import Seconds
from llm_router.config.schema import CircuitBreaker, Latency
from llm_router.errors import AttemptFailed, ClientError, ConnectFailed, TargetFull, TargetUnsuited, UpstreamRefused
from llm_router.execution.breaker import JITTER, MAX_OPEN_S
from llm_router.execution.standing import (
    MAX_COOLING_S,
    OPERATOR_COOLING_S,
    RATE_LIMIT_COOLING_S,
    Slot,
    Standing,
    standings,
)
from llm_router.model import Facts, Target, View
from llm_router.routing.engine import Policy, decide
from llm_router.signals.snapshot import Board

TARGET = Target(name="aws", kind="cluster", owner="aws", model="m")


class World:
    def __init__(self) -> None:
        self.now = 100.0
        self.board = Board([TARGET], lambda: self.now)
        breaker = CircuitBreaker(failure_threshold=2, success_threshold=1, timeout=Seconds(30))
        latency = Latency(window=Seconds(60), percentile=95)
        self.standing: Standing = standings([TARGET], self.board, breaker, latency, lambda: self.now)["aws"]

    @property
    def view(self) -> View:
        return self.board.view("aws")


@pytest.fixture
def world() -> World:
    return World()


def test_an_attempt_holds_a_slot_until_it_ends_and_gives_it_back_once(world: World) -> None:
    first, second = world.standing.take_slot(), world.standing.take_slot()
    assert world.view.pending == 2
    first.release()
    first.release()
    assert world.view.pending == 1
    second.release()
    assert world.view.pending == 0


def test_failures_open_the_breaker_on_the_board(world: World) -> None:
    world.standing.failed(ConnectFailed(), world.now)
    assert world.view.retry_at <= world.now
    world.standing.failed(ConnectFailed(), world.now)
    assert world.view.retry_at == pytest.approx(world.now + 30, abs=30 * JITTER)
    assert world.view.retry_reason == "circuit_open"


def test_half_open_shows_its_one_probe(world: World) -> None:
    for _ in range(2):
        world.standing.failed(ConnectFailed(), world.now)
    world.now = 134.0
    slot = world.standing.take_slot()
    assert world.view.probing
    world.standing.succeeded(5.0, None, world.now)
    slot.release()
    assert not world.view.probing
    assert world.view.retry_at <= world.now
    assert world.standing.breaker_state() == "closed"
    assert (world.view.probed_at, world.view.back_at) == (134.0, 134.0)


def test_an_answer_from_before_the_breaker_opened_does_not_close_it(world: World) -> None:
    for _ in range(2):
        world.standing.failed(ConnectFailed(), world.now)
    assert world.view.failed_at == world.now
    world.now = 134.0
    world.standing.succeeded(5.0, None, since=99.0)
    assert world.standing.breaker_state() == "half_open"


@pytest.mark.parametrize(
    ("failure", "cools_for_s"),
    [
        (UpstreamRefused(429, "rate_limit_exceeded", "", retry_after_s=7), 7),
        (UpstreamRefused(429, "rate_limit_exceeded", ""), 1),
        (UpstreamRefused(429, "rate_limit_exceeded", "", retry_after_s=1e9), 60),
        (UpstreamRefused(429, "insufficient_quota", "", quota=True), 60),
        (UpstreamRefused(401, "invalid_api_key", ""), 60),
        (UpstreamRefused(503, "overloaded", "", retry_after_s=20), 20),
    ],
)
def test_later_is_not_broken(world: World, failure: AttemptFailed, cools_for_s: float) -> None:
    world.standing.failed(failure, world.now)
    assert (world.view.retry_at, world.view.retry_reason) == (100.0 + cools_for_s, "cooling")
    assert world.standing.breaker_state() == "closed"


@pytest.mark.parametrize(
    "failure",
    [
        UpstreamRefused(400, "invalid_request_error", ""),
        UpstreamRefused(404, "model_not_found", ""),
        TargetFull(),
        TargetUnsuited(ClientError(400, "x", "y")),
    ],
)
def test_what_is_not_the_targets_fault_changes_nothing(world: World, failure: AttemptFailed) -> None:
    for _ in range(10):
        world.standing.failed(failure, world.now)
    assert world.view.retry_at == 0.0


def test_the_time_to_the_end_has_a_window_of_its_own(world: World) -> None:
    for ms in range(1, 101):
        world.standing.succeeded(1.0, float(ms), world.now)
    world.standing.post_latency()
    assert (world.view.p95_latency_ms, world.view.p95_total_ms) == (1.0, 95.0)
    world.standing.succeeded(None, None, world.now)
    assert world.view.p95_total_ms == 95.0


def test_who_has_not_answered_for_a_window_is_unmeasured_in_the_next_snapshot(world: World) -> None:
    world.standing.succeeded(9000.0, 9000.0, world.now)
    world.now += 60
    assert world.board.snapshot().views[0].p95_latency_ms == 9000.0
    world.now += 1
    view = world.board.snapshot().views[0]
    assert (view.p95_latency_ms, view.p95_total_ms, view.first_token_ms) == (None, None, None)
    world.standing.succeeded(5.0, 7.0, world.now)
    assert world.board.snapshot().views[0].p95_total_ms == 7.0


def test_latency_is_the_windows_percentile_and_forgets(world: World) -> None:
    for ms in range(1, 101):
        world.standing.succeeded(float(ms), None, world.now)
    world.standing.post_latency()
    assert (world.view.p95_latency_ms, world.view.first_token_ms) == (95.0, 50.0)
    world.now += 61
    world.standing.post_latency()
    assert world.view.p95_latency_ms is None


def test_one_that_becomes_a_hundred_times_slower_loses_its_requests_within_the_window() -> None:
    now, window_s, every_s = 1000.0, 60.0, 0.1
    targets = [Target(name=name, kind="provider", owner=name, model="m", any_model=True) for name in ("a", "b")]
    board = Board(targets, lambda: now)
    both = standings(targets, board, CircuitBreaker(), Latency(window=Seconds(window_s), percentile=95), lambda: now)
    first_token_ms = {"a": 20.0, "b": 25.0}
    asked: list[str] = []
    for number in range(int(3 * window_s / every_s)):
        if number == int(window_s / every_s):
            first_token_ms["a"] *= 100
        now += every_s
        decision = decide(Facts(model="m", stream=True), board.snapshot(), Policy(strategy="latency"))
        name = decision.choices[0].target.name
        both[name].succeeded(first_token_ms[name], first_token_ms[name] + 100, now)
        asked.append(name)
    third = len(asked) // 3
    assert asked[third - 1] == "a"
    assert asked[third : 2 * third].count("b") >= 0.95 * third
    assert asked[2 * third :].count("b") >= 0.95 * third


# ---------------------------------------------------------------- anything may happen

LATER = {429: RATE_LIMIT_COOLING_S, 401: OPERATOR_COOLING_S, 402: OPERATOR_COOLING_S}
"""Statuses that say "later" and not "broken", and for how long where nothing is said."""


class Attempted(RuleBasedStateMachine):
    """Attempts begin and end in any order and manner while time passes.

    The board shows as many attempts as are under way. Who said "later" is left alone at least that long, cut to a
    minute, and his breaker does not open for it. Nobody is left alone for more than five minutes. A probe is shown
    while one is under way at a breaker that is not closed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.running: list[tuple[Slot, float, bool]] = []
        self.cooling_until = 0.0

    @property
    def state(self) -> str:
        return self.world.standing.breaker_state()

    @rule(seconds=st.sampled_from((0.0, 0.5, 5.0, 29.0, 61.0, 400.0)))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @rule()
    def begin(self) -> None:
        probe = self.state != "closed"
        self.running.append((self.world.standing.take_slot(), self.world.now, probe))

    def end(self, data: st.DataObject) -> float:
        """When it began."""
        slot, since, _ = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        slot.release()
        return since

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        since = self.end(data)
        self.world.standing.succeeded(50.0, 400.0, since)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), failure=st.sampled_from((ConnectFailed(), UpstreamRefused(503, "x", "x"))))
    def break_off(self, data: st.DataObject, failure: AttemptFailed) -> None:
        self.world.standing.failed(failure, self.end(data))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), status=st.sampled_from(sorted(LATER)), after_s=st.sampled_from((None, 0.0, 7.0, 3600.0)))
    def be_told_later(self, data: st.DataObject, status: int, after_s: float | None) -> None:
        before = self.state
        failure = UpstreamRefused(status, "x", "x", retry_after_s=after_s)
        self.world.standing.failed(failure, self.end(data))
        for_s = LATER[status] if status != 429 else min(after_s or RATE_LIMIT_COOLING_S, MAX_COOLING_S)
        self.cooling_until = max(self.cooling_until, self.world.now + for_s)
        assert self.state == before

    @precondition(lambda self: self.running)
    @rule(data=st.data(), failure=st.sampled_from((UpstreamRefused(400, "x", "x"), TargetFull())))
    def be_refused(self, data: st.DataObject, failure: AttemptFailed) -> None:
        before = self.state, self.world.view.retry_at
        self.world.standing.failed(failure, self.end(data))
        assert (self.state, self.world.view.retry_at) == before

    @invariant()
    def all_that_run_are_shown(self) -> None:
        assert self.world.view.pending == self.world.standing.pending == len(self.running)

    @invariant()
    def a_probe_is_shown(self) -> None:
        assert self.world.view.probing is (self.state != "closed" and any(probe for *_, probe in self.running))

    @invariant()
    def later_is_kept_and_five_minutes_are_the_most(self) -> None:
        view = self.world.view
        assert view.retry_at >= self.cooling_until
        assert view.retry_at <= self.world.now + MAX_OPEN_S
        if view.retry_reason == "cooling":
            assert view.retry_at == self.cooling_until


TestAttempted: Any = Attempted.TestCase
TestAttempted.settings = settings(max_examples=60, stateful_step_count=40)
