"""The multi-cloud LLM router."""

__version__ = "0.1.0"
