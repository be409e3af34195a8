"""The queue model of a node, against times worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_router.simulate.fleet import NodeSpeed
from llm_router.simulate.job import Job
from llm_router.simulate.node import READING_SHARE, Node
from llm_router.simulate.trace import Request
from tests.router.simulate.fleets import SPEED


def job(number: int, input_tokens: int, output_tokens: int, at_s: float = 0.0) -> Job:
    return Job(number=number, request=Request(at_s, input_tokens, output_tokens))


def run(node: Node) -> None:
    """To the end of everything that it has."""
    while (next_s := node.next_event()) < math.inf:
        node.advance(next_s)


def test_alone_it_reads_at_full_speed_and_then_takes_a_step_for_each_further_token() -> None:
    node, one = Node(SPEED, 0.0, 0.0), job(0, 200, 11)
    node.take(one)
    run(node)
    assert one.first_token_s == pytest.approx(2.0)
    assert one.done_s == pytest.approx(2.0 + 10 * 0.15)


def test_an_answer_of_one_token_is_done_when_it_is_read() -> None:
    node, one = Node(SPEED, 0.0, 0.0), job(0, 100, 1)
    node.take(one)
    run(node)
    assert one.done_s == one.first_token_s == pytest.approx(1.0)


def test_prompts_are_read_one_after_the_other_slower_beside_decoding() -> None:
    node, first, second = Node(SPEED, 0.0, 0.0), job(0, 100, 101), job(1, 190, 1)
    node.take(first)
    node.take(second)
    assert node.tokens_ahead == 290
    run(node)
    assert first.first_token_s == pytest.approx(1.0)
    assert second.first_token_s == pytest.approx(1.0 + 190 / (100 * READING_SHARE))


def test_beside_reading_a_sequence_gets_what_reading_leaves() -> None:
    node, first, second = Node(SPEED, 0.0, 0.0), job(0, 100, 101), job(1, 190, 1)
    node.take(first)
    node.take(second)
    run(node)
    beside_s = 2.0
    steps_beside = beside_s * (1 - READING_SHARE) / 0.15
    assert first.done_s == pytest.approx(1.0 + beside_s + (100 - steps_beside) * 0.15)


def test_sequences_that_decode_together_share_longer_steps() -> None:
    node, one, other = Node(SPEED, 0.0, 0.0), job(0, 1, 41), job(1, 1, 41)
    node.take(one)
    node.take(other)
    run(node)
    assert other.done_s == pytest.approx(40 * 0.2, rel=0.02)


def test_it_knows_what_is_ahead_exactly_and_by_whole_prompts() -> None:
    node = Node(SPEED, 0.0, 0.0)
    node.take(job(0, 100, 5))
    node.advance(0.25)
    assert (node.tokens_ahead, node.unread_tokens) == pytest.approx((75, 100))
    node.advance(1.0)
    assert (node.tokens_ahead, node.unread_tokens, node.decoding) == pytest.approx((0, 0, 1))


def test_it_is_idle_since_its_last_answer() -> None:
    node = Node(SPEED, 5.0, 0.0)
    assert (node.busy, node.idle_since, node.next_event()) == (0, 5.0, math.inf)
    node.take(job(0, 100, 1))
    run(node)
    assert (node.busy, node.idle_since, node.next_event()) == pytest.approx((0, 6.0, math.inf))


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.floats(0, 5), st.integers(1, 3000), st.integers(1, 300)),
        min_size=1,
        max_size=30,
    )
)
def test_no_work_is_lost_or_done_twice(asked: list[tuple[float, int, int]]) -> None:
    """Everybody is answered, in order of arrival, and the node's time is at least what the work takes."""
    speed = NodeSpeed(slots=64, prefill_tokens_per_second=500, step_s=0.02, step_s_per_sequence=0.01)
    node, now, jobs, done = Node(speed, 0.0, 0.0), 0.0, [], []
    for number, (pause_s, input_tokens, output_tokens) in enumerate(asked):
        now += pause_s
        while node.next_event() <= now:
            done += node.advance(node.next_event())
        done += node.advance(now)
        jobs.append(job(number, input_tokens, output_tokens, now))
        node.take(jobs[-1])
    while (next_s := node.next_event()) < math.inf:
        done += node.advance(next_s)
    assert sorted(each.number for each in done) == [each.number for each in jobs]
    firsts = [each.first_token_s for each in jobs]
    assert firsts == sorted(firsts, key=lambda s: s or 0.0)
    for each in jobs:
        assert each.first_token_s is not None
        assert each.done_s is not None
        assert each.first_token_s - each.request.at_s >= speed.reading_s(each.request.input_tokens) - 1e-4
        assert each.done_s - each.first_token_s >= (each.request.output_tokens - 1) * speed.step_of(1) - 1e-4
    work_s = sum(speed.work_s(each.request.input_tokens, each.request.output_tokens) for each in jobs)
    assert max(each.done_s or 0.0 for each in jobs) >= work_s - 1e-3
