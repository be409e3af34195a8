"""What the dialects' words for external accounts and addresses are in the native one."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from urllib.parse import urlsplit

from ..hosts import host_fault, is_loopback
from .base import Place, Told

_ALIASES: Mapping[str, str] = MappingProxyType(
    {"azure_openai": "azure", "vertex_ai": "vertex", "vertexai": "vertex", "vllm": "openai-compatible"}
)
_OPENAI = "api.openai.com"
_OWN_SUFFIXES = (".internal", ".local", ".lan", ".home.arpa", ".svc", ".localhost")


def provider_type(written: str, base_url: str | None) -> str:
    """The native type. Whoever speaks OpenAI's API elsewhere is ``openai-compatible``: its prices are not OpenAI's."""
    if written == "openai" and base_url and _OPENAI not in (host := _host(base_url), host.partition(".")[2]):
        return "openai-compatible"
    return _ALIASES.get(written, written)


def private(place: Place, url: str | None, *steps: str) -> Told | None:
    """``private: true`` for plain http into a network of one's own, as these dialects accept it without a word."""
    if not url or not url.startswith("http://"):
        return None
    host = _host(url)
    return place.says(True, *steps) if _is_own(host) and not is_loopback(host) else None


def usd_per_1k(usd_per_token: float) -> float:
    """To twelve digits: 0.0015 USD a token is 1.5 USD, not 1.4999999999999998."""
    return float(f"{usd_per_token * 1000:.12g}")


def _is_own(host: str) -> bool:
    """Whether only one's own network can know this host: a private address, a bare name, or a name that is reserved
    for such networks (RFC 6762, RFC 8375, and Kubernetes' own)."""
    if not host or host_fault(host) is not None:
        return False
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(_OWN_SUFFIXES)


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""
