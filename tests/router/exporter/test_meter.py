"""Counters to speeds: the formula, what makes a spell, what is kept, and that nonsense never comes out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_router.exporter.meter import MAX_SPELL_S, MIN_TOKENS, Meter, Reading
from llm_router.exporter.served import ServedByPool
from llm_router.model import TokensPerSecond

SLOTS = 4


class Server:
    """llama-server's counters as it moves them: steps as they happen, tokens and their time when a request ends."""

    def __init__(self, *, window_s: float = 300.0) -> None:
        self.meter = Meter()
        self.served = ServedByPool(window_s=window_s)
        self.at_s = self.tokens = self.token_seconds = self.decodes = self.prompt_tokens = self.prompt_seconds = 0.0
        self.read()

    def read(self, processing: int = 0) -> TokensPerSecond:
        served = self.meter.feed(
            Reading(
                at_s=self.at_s,
                tokens=self.tokens,
                token_seconds=self.token_seconds,
                decodes=self.decodes,
                prompt_tokens=self.prompt_tokens,
                prompt_seconds=self.prompt_seconds,
                processing=processing,
            ),
            slots=SLOTS,
        )
        self.served.add(self.at_s, served)
        return self.speeds

    @property
    def speeds(self) -> TokensPerSecond:
        return TokensPerSecond(
            capacity=self.meter.capacity, realised=self.served.tokens_per_second, prefill=self.meter.prefill
        )

    def step(self, seconds: float, decodes: float) -> None:
        self.at_s += seconds
        self.decodes += decodes

    def end(self, tokens: float, seconds: float, *, prompt_tokens: float = 0, prompt_seconds: float = 0) -> None:
        self.tokens += tokens
        self.token_seconds += seconds
        self.prompt_tokens += prompt_tokens
        self.prompt_seconds += prompt_seconds

    def serve(self, streams: int, tokens: int, seconds: float) -> None:
        """``streams`` requests side by side, of ``tokens`` tokens each, in ``seconds``."""
        self.step(seconds, tokens)
        for _ in range(streams):
            self.end(tokens, seconds)


def capacity(server: Server) -> float:
    speed = server.read().capacity
    assert speed is not None
    return speed


# ---------------------------------------------------------------- the formula


def test_nothing_is_known_before_anything_is_measured() -> None:
    assert Server().speeds == TokensPerSecond(capacity=None, realised=None, prefill=None)


def test_one_stream_alone_is_as_fast_as_its_tokens_over_its_time() -> None:
    server = Server()
    server.serve(1, 100, 10)
    assert capacity(server) == pytest.approx(10)


def test_streams_side_by_side_add_up_although_their_seconds_do_too() -> None:
    """Four streams of 100 tokens in 10 s: 400 tokens over 40 slot-seconds are 10 a stream, 40 for the pool."""
    server = Server()
    server.serve(4, 100, 10)
    assert capacity(server) == pytest.approx(40)


def test_a_measured_run_of_llama_cpp_comes_out_at_its_true_aggregate() -> None:
    """4801 tokens in 519.3 slot-seconds, 33 tokens/s by the wall clock on four slots: not the 9.2 of the ratio."""
    server = Server()
    server.step(4801 / 33, 4801 / 3.57)
    server.end(4801, 519.3)
    assert capacity(server) == pytest.approx(33, rel=0.01)


def test_more_streams_than_slots_are_never_assumed() -> None:
    server = Server()
    server.step(10, 10)
    server.end(1000, 100)
    assert capacity(server) == pytest.approx(10 * SLOTS)


def test_prompts_are_measured_on_their_own() -> None:
    server = Server()
    server.step(10, 100)
    server.end(100, 10, prompt_tokens=500, prompt_seconds=2)
    assert server.read().prefill == 250


# ---------------------------------------------------------------- spells


def test_a_running_request_is_not_judged_before_it_ends() -> None:
    server = Server()
    server.step(20, 200)
    assert server.read(processing=1).capacity is None
    server.step(20, 200)
    server.end(400, 40)
    assert capacity(server) == pytest.approx(10)


def test_tokens_that_are_booked_at_the_end_do_not_make_streams_out_of_nothing() -> None:
    """A short request ends in the middle of a long one: the long one's steps belong to its tokens all the same."""
    server = Server()
    server.step(9, 90)
    server.end(10, 1)
    server.read(processing=1)
    server.step(1, 10)
    server.end(100, 10)
    assert capacity(server) == pytest.approx(10 * 1.1)


def test_what_was_under_way_when_the_first_reading_came_is_not_judged() -> None:
    server = Server()
    server.meter = Meter()
    server.step(80, 800)
    server.read(processing=1)
    server.step(10, 100)
    server.end(900, 90)
    assert server.read().capacity is None
    server.serve(1, 100, 10)
    assert capacity(server) == pytest.approx(10)


def test_few_tokens_are_added_up_until_they_are_enough() -> None:
    server = Server()
    for _ in range(MIN_TOKENS - 1):
        server.serve(1, 1, 0.5)
        assert server.read().capacity is None
    server.serve(1, 1, 0.5)
    assert capacity(server) == pytest.approx(2)


def test_a_spell_without_a_pause_is_cut_after_a_minute() -> None:
    server = Server()
    server.serve(2, 500, MAX_SPELL_S)
    assert server.read(processing=2).capacity == pytest.approx(2 * 500 / MAX_SPELL_S)


# ---------------------------------------------------------------- what is kept


def test_capacity_is_kept_while_idle_and_what_is_realised_falls() -> None:
    server = Server(window_s=100)
    server.serve(4, 100, 10)
    assert server.read().realised == pytest.approx(40)
    server.at_s += 90
    speeds = server.read()
    assert speeds.capacity == pytest.approx(40)
    assert speeds.realised == pytest.approx(4)
    for _ in range(4):
        server.at_s += 50
        speeds = server.read()
    assert speeds.capacity == pytest.approx(40)
    assert speeds.realised == 0


def test_a_quiet_hour_does_not_make_the_pool_look_slow() -> None:
    server = Server()
    server.serve(4, 100, 10)
    assert capacity(server) == pytest.approx(40)
    server.serve(1, 150, 10)
    assert capacity(server) == pytest.approx(40)


def test_a_pool_that_has_become_slower_is_found_out_even_in_a_quiet_hour() -> None:
    """Alone, a stream is never slower than among others: 5 tokens/s alone means at most 20 for four."""
    server = Server()
    server.serve(4, 100, 10)
    server.read()
    server.serve(1, 50, 10)
    assert capacity(server) == pytest.approx(20)


def test_a_busier_spell_replaces_what_was_known_whether_faster_or_slower() -> None:
    server = Server()
    server.serve(2, 100, 10)
    assert capacity(server) == pytest.approx(20)
    server.serve(4, 100, 25)
    assert capacity(server) == pytest.approx(16)


# ---------------------------------------------------------------- disturbances


def test_a_restart_begins_anew_and_counts_what_was_served_since() -> None:
    server = Server()
    server.serve(4, 100, 10)
    server.read()
    server.tokens = server.token_seconds = server.decodes = 0
    server.serve(1, 20, 10)
    speeds = server.read()
    assert speeds.capacity == pytest.approx(40)
    assert speeds.realised == pytest.approx((400 + 20) / 20)
    server.serve(4, 200, 10)
    assert capacity(server) == pytest.approx(80)


def test_steps_that_did_not_move_count_as_one_stream() -> None:
    server = Server()
    server.step(10, 0)
    server.end(100, 10)
    assert capacity(server) == pytest.approx(10)


def test_tokens_without_time_say_nothing() -> None:
    server = Server()
    server.step(10, 100)
    server.end(100, 0)
    assert server.read().capacity is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0])
def test_a_reading_that_makes_no_sense_is_passed_over(bad: float) -> None:
    server = Server()
    server.serve(1, 100, 10)
    before, total = server.read(), server.served.tokens
    server.at_s += 1
    kept, server.tokens = server.tokens, bad
    assert server.read().capacity == before.capacity
    server.tokens = kept
    assert server.read().capacity == before.capacity
    assert server.served.tokens == total


def test_two_readings_at_one_moment_are_one() -> None:
    server = Server()
    server.serve(1, 100, 10)
    assert server.read() == server.read()


COUNTER = st.one_of(
    st.floats(0, 1e9), st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 5e-324, 1e15, 1.7e308])
)
LATER = st.one_of(st.floats(0, 1e6), st.sampled_from([0.0, 5e-324, 1e-300]))


@settings(max_examples=500)
@given(st.lists(st.tuples(LATER, COUNTER, COUNTER, COUNTER, COUNTER, COUNTER, st.integers(0, 9)), max_size=25))
def test_whatever_is_read_no_speed_is_nan_infinite_or_negative_and_no_total_falls(
    readings: list[tuple[float, float, float, float, float, float, int]],
) -> None:
    meter, pool = Meter(), ServedByPool(window_s=60)
    at_s = total = 0.0
    for later, tokens, token_seconds, decodes, prompt_tokens, prompt_seconds, processing in readings:
        at_s += later
        served = meter.feed(
            Reading(
                at_s=at_s,
                tokens=tokens,
                token_seconds=token_seconds,
                decodes=decodes,
                prompt_tokens=prompt_tokens,
                prompt_seconds=prompt_seconds,
                processing=processing,
            ),
            slots=SLOTS,
        )
        pool.add(at_s, served)
        for speed in (meter.capacity, pool.tokens_per_second, meter.prefill):
            assert speed is None or (math.isfinite(speed) and speed >= 0)
        assert meter.capacity != 0
        assert meter.prefill != 0
        assert pool.tokens >= total, "a counter that falls is a restart to Prometheus"
        total = pool.tokens


@given(
    streams=st.integers(1, SLOTS),
    tokens=st.integers(MIN_TOKENS, 5000),
    seconds=st.floats(0.1, 1000),
    polls=st.integers(1, 20),
)
def test_the_same_load_reads_the_same_however_often_it_is_polled(
    streams: int, tokens: int, seconds: float, polls: int
) -> None:
    server = Server()
    for _ in range(polls):
        server.step(seconds / polls, tokens / polls)
        if seconds < MAX_SPELL_S:
            server.read(processing=streams)
    for _ in range(streams):
        server.end(tokens, seconds)
    server.at_s += 0.01
    assert capacity(server) == pytest.approx(streams * tokens / seconds, rel=1e-6)
