"""Models of ``models/catalog.yaml``, which is not there where this library is installed alone.

A fork may serve others: a name that is missing here is not judged.
"""

from __future__ import annotations

from types import MappingProxyType

#: Tokens that a model was made for, prompt and answer together; the chart refuses more.
CONTEXT_LENGTHS: MappingProxyType[str, int] = MappingProxyType(
    {
        "tinyllama-1.1b-chat": 2048,
        "llama-2-7b-chat": 4096,
        "qwen3-4b-instruct-2507": 262_144,
        "qwen3.5-4b": 262_144,
        "qwen3-8b": 32_768,
    }
)
