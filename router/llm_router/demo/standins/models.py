"""The models that the stand-ins serve, with the limits that their providers publish (as of November 2026)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct


class Model(Struct, frozen=True, kw_only=True):
    """``context`` is the whole window, ``max_output`` the most that one answer may have, both in tokens."""

    name: str
    context: int
    max_output: int


class OpenAIModel(Model, frozen=True, kw_only=True):
    """``snapshot`` is the dated name that answers carry. GPT-5 and later refuse ``max_tokens`` in favour of
    ``max_completion_tokens``; from GPT-5.6 on every temperature but 1 is refused too."""

    snapshot: str
    max_tokens_field: bool = False
    temperature: bool = True


class AnthropicModel(Model, frozen=True, kw_only=True):
    """``legacy`` models still take sampling parameters, prefilled answers and thinking budgets; from Opus 4.7,
    Sonnet 5 and Haiku 5.5 on these are refused, whatever the API version."""

    display_name: str
    legacy: bool = False


class GeminiModel(Model, frozen=True, kw_only=True):
    display_name: str


OPENAI = (
    OpenAIModel(name="gpt-5.4-mini", snapshot="gpt-5.4-mini-2026-03-17", context=400_000, max_output=128_000),
    OpenAIModel(name="gpt-5.4-nano", snapshot="gpt-5.4-nano-2026-03-17", context=400_000, max_output=128_000),
    OpenAIModel(name="gpt-5.4", snapshot="gpt-5.4-2026-03-05", context=1_050_000, max_output=128_000),
    OpenAIModel(name="gpt-5.6-luna", snapshot="gpt-5.6-luna", context=1_050_000, max_output=128_000, temperature=False),
    OpenAIModel(
        name="gpt-4o-mini",
        snapshot="gpt-4o-mini-2024-07-18",
        context=128_000,
        max_output=16_384,
        max_tokens_field=True,
    ),
)

ANTHROPIC = (
    AnthropicModel(name="claude-haiku-5-5", display_name="Claude Haiku 5.5", context=1_000_000, max_output=128_000),
    AnthropicModel(name="claude-sonnet-5-5", display_name="Claude Sonnet 5.5", context=1_000_000, max_output=128_000),
    AnthropicModel(name="claude-opus-5-5", display_name="Claude Opus 5.5", context=1_000_000, max_output=128_000),
    AnthropicModel(
        name="claude-haiku-4-5", display_name="Claude Haiku 4.5", context=200_000, max_output=64_000, legacy=True
    ),
)

GEMINI = (
    GeminiModel(
        name="gemini-3.5-flash-lite", display_name="Gemini 3.5 Flash-Lite", context=1_048_576, max_output=65_536
    ),
    GeminiModel(name="gemini-3.8-flash", display_name="Gemini 3.8 Flash", context=1_048_576, max_output=65_536),
    GeminiModel(
        name="gemini-2.5-flash-lite", display_name="Gemini 2.5 Flash-Lite", context=1_048_576, max_output=65_536
    ),
)

M = TypeVar("M", bound=Model)


def by_name(models: Iterable[M]) -> dict[str, M]:
    return {model.name: model for model in models}
