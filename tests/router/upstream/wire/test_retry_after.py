"""``Retry-After`` in all the forms that upstreams use."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.upstream.wire.retry_after import MAX_RETRY_AFTER_S, duration_s, limits_reset_s, retry_after_s, wait_s

NOW = 1_763_700_000.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "3600"}, MAX_RETRY_AFTER_S),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": formatdate(NOW + 20, usegmt=True)}, 20.0),
        ({"retry-after": formatdate(NOW - 20, usegmt=True)}, 0.0),
        ({"retry-after": formatdate(NOW + 86400, usegmt=True)}, MAX_RETRY_AFTER_S),
        ({"retry-after": "Fri, 21 Nov 2025 04:40:30 -0000"}, 30.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1_0"}, None),
        ({"retry-after": "Fri, 99 Nov 2025 04:40:30 GMT"}, None),
    ],
)
def test_headers(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers, NOW) == (expected if expected is None else pytest.approx(expected))


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms"]), st.text()))
def test_no_header_breaks_it_or_leaves_the_bounds(headers: dict[str, str]) -> None:
    wait_s = retry_after_s(headers, NOW)
    assert wait_s is None or 0 <= wait_s <= MAX_RETRY_AFTER_S


@pytest.mark.parametrize(
    ("text", "expected"),
    [("17s", 17.0), ("0.25s", 0.25), ("-1s", 0.0), ("3600s", 60.0), ("17", None), ("s", None), ("", None), (17, None)],
)
def test_protobuf_durations(text: object, expected: float | None) -> None:
    assert duration_s(text) == expected


REQUESTS, TOKENS = "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"
NO_REQUESTS, NO_TOKENS = {"x-ratelimit-remaining-requests": "0"}, {"x-ratelimit-remaining-tokens": "0"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({REQUESTS: "1s"}, 1.0),
        ({REQUESTS: "20ms"}, 0.02),
        ({REQUESTS: "0m6.5s"}, 6.5),
        ({REQUESTS: "6m0s"}, MAX_RETRY_AFTER_S),
        ({REQUESTS: "12"}, 12.0),
        ({REQUESTS: "-1"}, 0.0),
        ({REQUESTS: "1 s later"}, None),
        ({REQUESTS: "soon"}, None),
        ({"x-ratelimit-reset": f"{NOW + 9:.0f}"}, 9.0),
        ({"x-ratelimit-reset": f"{(NOW + 9) * 1000:.0f}"}, 9.0),
        ({"anthropic-ratelimit-requests-reset": "2025-11-21T04:40:30Z"}, 30.0),
        ({"anthropic-ratelimit-requests-reset": "2025-11-21T04:39:30Z"}, 0.0),
        # Of several limits those count that have nothing left, else the one that is reset first.
        ({REQUESTS: "1s", TOKENS: "30s"}, 1.0),
        ({REQUESTS: "1s", TOKENS: "30s"} | NO_TOKENS, 30.0),
        ({REQUESTS: "1s", TOKENS: "30s"} | NO_REQUESTS, 1.0),
        ({REQUESTS: "1s", TOKENS: "30s"} | NO_REQUESTS | NO_TOKENS, 30.0),
    ],
)
def test_resets_of_limits(headers: dict[str, str], expected: float | None) -> None:
    assert limits_reset_s(headers, NOW) == (expected if expected is None else pytest.approx(expected))


@given(st.dictionaries(st.sampled_from([REQUESTS, "x-ratelimit-reset", "anthropic-ratelimit-tokens-reset"]), st.text()))
def test_no_reset_breaks_it_or_leaves_the_bounds(headers: dict[str, str]) -> None:
    seconds = limits_reset_s(headers, NOW)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_S


def test_limits_count_only_after_a_429_that_says_nothing_else() -> None:
    headers = {REQUESTS: "7s"} | NO_REQUESTS
    assert wait_s(429, headers, NOW) == 7.0
    assert wait_s(429, headers | {"retry-after": "2"}, NOW) == 2.0
    assert wait_s(503, headers, NOW) is None
    assert wait_s(503, headers | {"retry-after": "2"}, NOW) == 2.0
