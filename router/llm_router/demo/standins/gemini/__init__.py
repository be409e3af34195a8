"""The stand-in for the Gemini API of Google AI Studio."""

from .api import KEY, Gemini

__all__ = ["KEY", "Gemini"]
