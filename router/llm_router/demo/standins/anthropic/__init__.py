"""The stand-in for Anthropic's Messages API."""

from .api import KEY, Anthropic

__all__ = ["KEY", "Anthropic"]
