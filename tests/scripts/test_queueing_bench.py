"""The bench of the queue model fits and predicts what it says: speeds from times, loads from speeds, and its clock."""

from __future__ import annotations

import random
import statistics

import pytest

from llm_router.simulate.fleet import NodeSpeed
from llm_router.simulate.trace import Request, Trace
from scripts.bench.clocks import OwnCoreClock
from scripts.bench.node_fit import common_step_s, extra_s_of, percentiles, poisson, predicted, speed_of, step_of

SPEED = NodeSpeed(slots=4, prefill_tokens_per_second=1000.0, step_s=0.002, step_s_per_sequence=0.001)


def test_a_line_of_steps_is_found_again() -> None:
    assert step_of((n, 0.003 + 0.001 * n) for n in (1, 2, 3, 4, 4)) == pytest.approx((0.003, 0.001))


def test_neither_part_of_a_step_is_negative() -> None:
    assert step_of((n, 0.002 * n - 0.001) for n in (1, 2, 3)) == pytest.approx((0.0, 0.022 / 14))
    assert step_of((n, 0.005 - 0.001 * n) for n in (1, 2, 3)) == pytest.approx((0.003, 0.0))


def test_steps_count_only_while_all_sequences_decode() -> None:
    alone_at_first = [0.0, 1.0, 2.0, 5.0, 8.0, 11.0]
    assert common_step_s([alone_at_first, [2.0, 5.0, 8.0]]) == pytest.approx(3.0)


def test_prompts_give_tokens_per_second() -> None:
    speed = speed_of(4, reads=[(100, 0.2), (300, 0.2)], steps=[(1, 0.004), (4, 0.007)])
    assert speed.prefill_tokens_per_second == pytest.approx(1000.0)
    assert (speed.step_s, speed.step_s_per_sequence) == pytest.approx((0.003, 0.001))


def test_what_busy_slots_take_beyond_the_model_is_shared_by_the_requests() -> None:
    lengths = [(100, 11), (200, 21)]
    work_s = 0.3 + 30 * 0.006 / 4
    assert extra_s_of(SPEED, lengths, work_s + 0.01) == pytest.approx(0.005)
    assert extra_s_of(SPEED, lengths, work_s / 2) == 0.0


def test_a_load_is_that_share_of_what_the_node_can_do() -> None:
    trace = poisson(0.5, SPEED, 400.0, random.Random(1))
    work_s = sum(SPEED.work_s(each.input_tokens, each.output_tokens) for each in trace.requests)
    assert work_s / 400.0 == pytest.approx(0.5, rel=0.1)
    assert trace == poisson(0.5, SPEED, 400.0, random.Random(1))


def test_a_request_alone_takes_its_prompt_and_its_steps() -> None:
    (alone,) = predicted(SPEED, Trace((Request(0.0, 100, 11),)))
    assert (alone.ttft_s, alone.total_s) == pytest.approx((0.1, 0.13))
    (more,) = predicted(SPEED, Trace((Request(0.0, 100, 11),)), extra_s=0.05)
    assert (more.ttft_s, more.total_s) == pytest.approx((0.15, 0.18))


def test_who_comes_when_all_slots_are_busy_waits_and_nobody_is_refused() -> None:
    timed = predicted(SPEED, Trace(tuple(Request(0.0, 100, 11) for _ in range(40))))
    assert len(timed) == 40
    assert timed[-1].ttft_s > 5 * timed[3].ttft_s
    found = percentiles(timed)
    assert found.ttft_p50 == pytest.approx(statistics.median(each.ttft_s for each in timed))
    assert found.ttft_p50 < found.ttft_p95 < found.total_p95


def test_the_clock_goes_by_the_servers_cpu_time_while_it_has_work() -> None:
    cpu, wall = [0], [0]
    clock = OwnCoreClock(lambda: cpu[0], lambda: wall[0])
    wall[0] += 1_000_000_000
    assert clock.now() == pytest.approx(1.0)
    with clock.work():
        cpu[0] += 200_000_000
        wall[0] += 700_000_000
        assert clock.now() == pytest.approx(1.2)
        with clock.work():
            cpu[0] += 100_000_000
        wall[0] += 500_000_000
    wall[0] += 1_000_000_000
    assert clock.now() == pytest.approx(2.3)
