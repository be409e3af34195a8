"""Whose API a LiteLLM model string means: ``openai/gpt-5.4-mini``, ``groq/llama-3.3-70b``, ``claude-haiku-5-5``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

_SELF_HOSTED = (
    "hosted_vllm",
    "openai_like",
    "custom_openai",
    "litellm_proxy",
    "lm_studio",
    "llamafile",
    "xinference",
    "ollama",
    "ollama_chat",
)


class Account(NamedTuple):
    """``type`` is the native provider type, ``key_variable`` where LiteLLM looks for a key that the file leaves out."""

    type: str
    key_variable: str | None = None
    base_url: str | None = None


ACCOUNTS: Mapping[str, Account] = MappingProxyType(
    {
        "openai": Account("openai", "OPENAI_API_KEY"),
        "anthropic": Account("anthropic", "ANTHROPIC_API_KEY"),
        "gemini": Account("gemini", "GEMINI_API_KEY"),
        "xai": Account("xai", "XAI_API_KEY"),
        "azure": Account("azure", "AZURE_API_KEY"),
        "vertex_ai": Account("vertex"),
        "groq": Account("openai-compatible", "GROQ_API_KEY", "https://api.groq.com/openai/v1"),
        "mistral": Account("openai-compatible", "MISTRAL_API_KEY", "https://api.mistral.ai/v1"),
        "deepseek": Account("openai-compatible", "DEEPSEEK_API_KEY", "https://api.deepseek.com/v1"),
        "openrouter": Account("openai-compatible", "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1"),
        "together_ai": Account("openai-compatible", "TOGETHERAI_API_KEY", "https://api.together.xyz/v1"),
        **dict.fromkeys(_SELF_HOSTED, Account("openai-compatible")),
    }
)
_BARE = (
    (re.compile(r"(?:gpt-|chatgpt-|o[1-9](?:-|$))"), "openai"),
    (re.compile(r"claude-"), "anthropic"),
    (re.compile(r"gemini-"), "gemini"),
)
"""Which names LiteLLM knows without a prefix, by their beginnings."""


def split(model: str, provider: str | None) -> tuple[str, str]:
    """``(prefix, model)``; an empty prefix where the string does not say whose model it is."""
    prefix, slash, rest = model.partition("/")
    if provider:
        return provider, rest if slash and prefix == provider else model
    if slash:
        return prefix, rest
    return next(((owner, model) for pattern, owner in _BARE if pattern.match(model)), ("", model))
