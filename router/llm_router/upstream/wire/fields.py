"""The top-level fields of a chat request that an upstream cannot take: hints are left out and named, defaults are left
out, anything that would change the meaning of the answer is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from ...errors import ClientError

EVERYBODY_TAKES = frozenset(
    {
        "messages",
        "model",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "stop",
        "tools",
        "tool_choice",
        "response_format",
    }
)

_OPENAI_HINTS = frozenset(
    {
        "seed",
        "user",
        "metadata",
        "service_tier",
        "store",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "prediction",
        "reasoning_effort",
        "verbosity",
        "frequency_penalty",
        "presence_penalty",
        "parallel_tool_calls",
    }
)

_LLAMA_CPP_HINTS = frozenset(
    {
        "cache_prompt",
        "id_slot",
        "slot_id",
        "n_cache_reuse",
        "timings_per_token",
        "return_progress",
        "return_tokens",
        "sse_ping_interval",
        "verbose",
    }
)
"""How its server should work, not what it should say."""

HINTS = _OPENAI_HINTS | _LLAMA_CPP_HINTS

_DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "store": (False,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "parallel_tool_calls": (True,),
    "service_tier": ("auto", "default"),
    "modalities": (["text"],),
    "response_format": ({"type": "text"},),
    "logit_bias": ({},),
    "metadata": ({},),
    "tools": ([],),
    "functions": ([],),
    "function_call": ("auto", "none"),
}


def hints_left_out(fields: Mapping[str, Raw], taken: frozenset[str], upstream: str) -> tuple[str, ...]:
    """The names of the hints among ``fields`` that are not ``taken``. Raises ``ClientError`` naming the first field
    that is neither taken, nor a hint, nor at its default."""
    dropped = []
    for name, raw in fields.items():
        if name in taken or _says_nothing(name, raw):
            continue
        if name not in HINTS:
            raise unsupported_field(name, f"The field {name[:64]!r}", upstream)
        dropped.append(name)
    return tuple(dropped)


def unsupported_field(param: str, what: str, upstream: str) -> ClientError:
    message = f"{what} cannot be expressed for {upstream}, which was to answer: leave it out, or choose another model."
    return ClientError(400, "unsupported_parameter", message, param=param)


def _says_nothing(name: str, raw: Raw) -> bool:
    value = bytes(raw)
    if value == b"null":
        return True
    try:
        return name in _DEFAULTS and msgspec.json.decode(value) in _DEFAULTS[name]
    except msgspec.DecodeError:
        return False
