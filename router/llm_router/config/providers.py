"""The provider types that the configuration knows: which wire they speak, where they live, what they need."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from ..model import WireName
from .findings import nearest


class ProviderType(Struct, frozen=True, kw_only=True):
    """``price_id`` is the provider's id in the price data, ``version_path`` what its base URL ends with (added where
    the operator left it out, never doubled), ``health_path`` a cheap GET relative to the base URL, and
    ``health_headers`` what that needs beside the credentials."""

    wire: WireName
    base_url: str | None
    version_path: str
    price_id: str | None
    health_path: str = "/models"
    health_headers: tuple[tuple[str, str], ...] = ()


_OPENAI = ProviderType(wire="openai", base_url="https://api.openai.com/v1", version_path="/v1", price_id="openai")
_ANTHROPIC = ProviderType(
    wire="anthropic",
    base_url="https://api.anthropic.com/v1",
    version_path="/v1",
    price_id="anthropic",
    health_headers=(("anthropic-version", "2023-06-01"),),
)
_GEMINI = ProviderType(
    wire="gemini",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    version_path="/v1beta",
    price_id="google",
)
_AZURE = ProviderType(wire="openai", base_url=None, version_path="/openai/v1", price_id="azure")
_VERTEX = ProviderType(
    wire="gemini",
    base_url="https://aiplatform.googleapis.com/v1",  # of the location global; base_url() knows the others
    version_path="/v1",
    price_id="google",
)
_XAI = ProviderType(wire="openai", base_url="https://api.x.ai/v1", version_path="/v1", price_id="x-ai")
_COMPATIBLE = ProviderType(wire="openai", base_url=None, version_path="/v1", price_id=None)

PROVIDER_TYPES: Mapping[str, ProviderType] = MappingProxyType(
    {
        "openai": _OPENAI,
        "anthropic": _ANTHROPIC,
        "claude": _ANTHROPIC,
        "gemini": _GEMINI,
        "azure": _AZURE,
        "vertex": _VERTEX,
        "xai": _XAI,
        "grok": _XAI,
        "openai-compatible": _COMPATIBLE,
    }
)


def nearest_type(word: str) -> str | None:
    """The known type that was most likely meant."""
    return nearest(word, PROVIDER_TYPES)
