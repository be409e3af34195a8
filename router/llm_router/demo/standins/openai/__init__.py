"""The stand-in for OpenAI's Chat Completions API."""

from .api import KEY, OpenAI

__all__ = ["KEY", "OpenAI"]
