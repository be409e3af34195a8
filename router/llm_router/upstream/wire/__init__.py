"""The upstream protocols that the router speaks, by name; Azure's depends on what its operator has deployed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .anthropic import AnthropicWire
from .base import Wire
from .gemini import GeminiWire
from .llama_cpp import LlamaCppWire
from .openai import OpenAIWire

WIRES: Mapping[str, Wire] = MappingProxyType(
    {
        "openai": OpenAIWire(),
        "llama.cpp": LlamaCppWire(),
        "anthropic": AnthropicWire(),
        "gemini": GeminiWire(),
    }
)
