"""Token counts as upstreams state them, brought to one form and back to OpenAI's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...model import Usage

MAX_TOKENS = 10_000_000
"""No model reads or writes more: a larger figure is a fault of the upstream and would end in somebody's bill."""
WINDOWS = 4
"""So many context windows may prompt and answer fill: one may be configured smaller than it is, not by that much."""


def tokens(value: object) -> int | None:
    """A token count, or ``None`` for what cannot be one: not a whole number, negative, absurdly large."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS:
        return value
    return None


def believable(usage: Usage, context_length: int | None) -> bool:
    """Whether a model with this window can have used as much."""
    return context_length is None or usage.all_tokens <= WINDOWS * context_length


def from_openai(stated: object) -> Usage | None:
    """OpenAI's ``usage`` object; ``None`` where it is absent or not to be believed. An explicit zero is a value.

    Cached tokens are a part of OpenAI's prompt tokens, reasoning tokens a part of its completion tokens. xAI leaves
    the reasoning out of ``completion_tokens`` and counts it in ``total_tokens`` only; it is billed all the same.
    """
    if not isinstance(stated, Mapping):
        return None
    prompt, output = tokens(stated.get("prompt_tokens", 0)), tokens(stated.get("completion_tokens", 0))
    if prompt is None or output is None or not ("prompt_tokens" in stated or "completion_tokens" in stated):
        return None
    read = min(_detail(stated, "prompt_tokens_details", "cached_tokens"), prompt)
    written = min(_detail(stated, "prompt_tokens_details", "cache_write_tokens"), prompt - read)
    reasoning = _detail(stated, "completion_tokens_details", "reasoning_tokens")
    if reasoning and tokens(stated.get("total_tokens")) == prompt + output + reasoning:
        output += reasoning
    return Usage(
        input_tokens=prompt - read - written,
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=output,
        reasoning_tokens=min(reasoning, output),
    )


def to_openai(usage: Usage) -> dict[str, Any]:
    """OpenAI's ``usage`` object."""
    prompt_details = {"cached_tokens": usage.cache_read_tokens}
    if usage.cache_write_tokens:
        prompt_details["cache_write_tokens"] = usage.cache_write_tokens
    return {
        "prompt_tokens": usage.all_input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.all_tokens,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _detail(stated: Mapping[str, Any], group: str, name: str) -> int:
    details = stated.get(group)
    return (tokens(details.get(name)) or 0) if isinstance(details, Mapping) else 0
