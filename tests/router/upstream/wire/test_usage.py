"""OpenAI's usage read and written: cached ⊂ prompt, reasoning ⊂ completion, explicit zeros, figures not to believe."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.model import Usage
from llm_router.upstream.wire.usage import MAX_TOKENS, from_openai, to_openai, tokens


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        pytest.param(None, None, id="absent"),
        pytest.param({}, None, id="empty"),
        pytest.param([1], None, id="a list"),
        pytest.param({"total_tokens": 5}, None, id="a total alone says nothing of the split"),
        pytest.param({"prompt_tokens": 0, "completion_tokens": 0}, Usage(), id="an explicit zero is a value"),
        pytest.param({"prompt_tokens": 9}, Usage(input_tokens=9), id="prompt only"),
        pytest.param(
            {"prompt_tokens": 9.0, "completion_tokens": 2.0}, Usage(input_tokens=9, output_tokens=2), id="float"
        ),
        pytest.param({"prompt_tokens": -1, "completion_tokens": 5}, None, id="negative"),
        pytest.param({"prompt_tokens": 5, "completion_tokens": MAX_TOKENS + 1}, None, id="absurd"),
        pytest.param({"prompt_tokens": "5", "completion_tokens": 5}, None, id="text"),
        pytest.param({"prompt_tokens": True, "completion_tokens": 5}, None, id="a boolean"),
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 60}},
            Usage(input_tokens=40, cache_read_tokens=60, output_tokens=7),
            id="cached tokens are a part of the prompt",
        ),
        pytest.param(
            {
                "prompt_tokens": 100,
                "completion_tokens": 7,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
            },
            Usage(input_tokens=10, cache_read_tokens=60, cache_write_tokens=30, output_tokens=7),
            id="cache writes too",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 99}},
            Usage(cache_read_tokens=10, output_tokens=7),
            id="never more cached than there was",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 50, "completion_tokens_details": {"reasoning_tokens": 30}},
            Usage(input_tokens=10, output_tokens=50, reasoning_tokens=30),
            id="reasoning is a part of the completion",
        ),
        pytest.param(
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            Usage(input_tokens=32, output_tokens=103, reasoning_tokens=94),
            id="xAI counts reasoning in the total only",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": None},
            Usage(input_tokens=10, output_tokens=5),
            id="null details",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": -4}},
            Usage(input_tokens=10, output_tokens=5),
            id="absurd details",
        ),
    ],
)
def test_from_openai(stated: Any, expected: Usage | None) -> None:
    assert from_openai(stated) == expected


COUNTS = st.integers(0, 10**6)


@given(COUNTS, COUNTS, COUNTS, COUNTS, st.integers(0, 100))
def test_what_is_written_is_read_as_the_same(fresh: int, read: int, written: int, output: int, percent: int) -> None:
    usage = Usage(
        input_tokens=fresh,
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=output,
        reasoning_tokens=output * percent // 100,
    )
    stated = to_openai(usage)
    assert from_openai(stated) == usage
    assert stated["total_tokens"] == usage.all_tokens


@given(st.none() | st.integers() | st.floats() | st.text() | st.booleans())
def test_a_count_is_a_count_or_nothing(value: object) -> None:
    count = tokens(value)
    assert count is None or (type(count) is int and 0 <= count <= MAX_TOKENS)
