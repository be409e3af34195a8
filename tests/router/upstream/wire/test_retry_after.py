"""``Retry-After`` in all the forms that upstreams use."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.upstream.wire.retry_after import MAX_RETRY_AFTER_S, duration_s, retry_after_s

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
