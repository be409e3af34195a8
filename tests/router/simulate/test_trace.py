"""Thinning, stretching and marking: repeatable, and nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.simulate.trace import Request, marked, stretched, thinned, trace_of

TRACE = trace_of(Request(10.0 + second, 100 + second, 5) for second in range(1000))

traces = st.lists(st.builds(Request, st.floats(0, 1e6), st.integers(1, 5000), st.integers(1, 500)), min_size=1).map(
    trace_of
)


def test_a_trace_begins_at_its_first_request_and_is_in_order() -> None:
    trace = trace_of([Request(12.0, 1, 1), Request(10.0, 2, 2)])
    assert [(r.at_s, r.input_tokens) for r in trace.requests] == [(0.0, 2), (2.0, 1)]
    assert trace.span_s == 2.0


def test_thinning_keeps_about_one_of_n_by_seed_alone() -> None:
    kept = thinned(TRACE, 10, seed=3)
    assert 60 < len(kept.requests) < 140
    assert kept == thinned(TRACE, 10, seed=3)
    assert kept != thinned(TRACE, 10, seed=4)
    assert kept.requests[0].at_s == 0.0
    assert thinned(TRACE, 1, seed=3) is TRACE


@given(traces, st.integers(1, 10**6), st.integers(0, 10))
def test_thinning_leaves_something_and_invents_nothing(trace: object, every: int, seed: int) -> None:
    assert isinstance(trace, type(TRACE))
    kept = thinned(trace, every, seed)
    tokens = [(r.input_tokens, r.output_tokens) for r in kept.requests]
    rest = iter((r.input_tokens, r.output_tokens) for r in trace.requests)
    assert tokens
    assert all(each in rest for each in tokens)


def test_stretching_moves_requests_apart() -> None:
    assert [r.at_s for r in stretched(TRACE, 2.5).requests[:3]] == [0.0, 2.5, 5.0]
    assert stretched(TRACE, 2.5).requests[1].input_tokens == TRACE.requests[1].input_tokens


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.3, 220, 380), (1.0, 1000, 1000)])
def test_about_the_share_that_was_asked_for_needs_a_capable_target(share: float, least: int, most: int) -> None:
    assert least <= sum(r.capable for r in marked(TRACE, share, seed=1).requests) <= most
    assert marked(TRACE, share, seed=1) == marked(TRACE, share, seed=1)
