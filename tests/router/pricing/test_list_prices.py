"""List prices equal what genai-prices itself would charge, and what it does not know is unknown."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone

import genai_prices
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.config.schema import Price
from llm_router.model import Usage
from llm_router.pricing.estimate import list_usd
from llm_router.pricing.list_prices import PriceBook

AT = datetime(2026, 10, 20, 12, tzinfo=UTC)
MODELS = (
    ("openai", "gpt-5.4-mini"),
    ("openai", "gpt-5.4"),
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-3.5-turbo"),
    ("openai", "gpt-5.2-20251211"),
    ("anthropic", "claude-haiku-5-5"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-3-opus-latest"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-3.5-flash-lite"),
    ("x-ai", "grok-4"),
)
token_counts = st.integers(0, 1_200_000)


def charged_by_the_package(price_id: str, model: str, usage: Usage, at: datetime) -> float:
    """``input_tokens`` of the package is the whole input."""
    counts = genai_prices.Usage(
        input_tokens=usage.all_input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        output_tokens=usage.output_tokens,
    )
    price = genai_prices.calc_price(counts, model, provider_id=price_id, genai_request_timestamp=at)
    return float(price.total_price)


@pytest.mark.parametrize(("price_id", "model"), MODELS)
@given(
    uncached=token_counts, read=token_counts, written=token_counts, for_1h=token_counts, output=st.integers(0, 128_000)
)
def test_charges_what_the_package_charges(
    price_id: str, model: str, uncached: int, read: int, written: int, for_1h: int, output: int
) -> None:
    usage = Usage(
        input_tokens=uncached,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=min(for_1h, written),
        output_tokens=output,
    )
    price = PriceBook(AT).lookup(price_id, model)
    assert price is not None
    assert list_usd(price, usage) == pytest.approx(charged_by_the_package(price_id, model, usage, AT), rel=1e-12)


@pytest.mark.parametrize("input_tokens", [99_999, 100_000, 100_001, 199_999, 200_000, 200_001, 272_000, 272_001])
@pytest.mark.parametrize(("price_id", "model"), MODELS)
def test_agrees_at_the_edges_of_tiers(price_id: str, model: str, input_tokens: int) -> None:
    usage = Usage(input_tokens=input_tokens, output_tokens=1_000)
    price = PriceBook(AT).lookup(price_id, model)
    assert price is not None
    assert list_usd(price, usage) == pytest.approx(charged_by_the_package(price_id, model, usage, AT), rel=1e-12)


def test_the_whole_request_pays_the_tier_that_its_input_reaches() -> None:
    price = PriceBook(AT).lookup("anthropic", "claude-haiku-5-5")
    assert price is not None
    below = list_usd(price, Usage(input_tokens=100_000))
    above = list_usd(price, Usage(input_tokens=100_001))
    assert above > 4 * below


def test_a_price_is_that_of_its_day() -> None:
    """o3 became cheaper by four fifths on 2025-06-10."""
    before = PriceBook(datetime(2025, 6, 9, tzinfo=UTC)).lookup("openai", "o3")
    after = PriceBook(datetime(2025, 6, 11, tzinfo=UTC)).lookup("openai", "o3")
    assert before is not None
    assert after is not None
    assert before.input.usd_per_1k == pytest.approx(5 * after.input.usd_per_1k)
    assert (before.as_of, after.as_of) == ("2025-06-09", "2025-06-11")


def test_a_day_is_a_day_in_utc() -> None:
    evening_in_the_west = datetime(2025, 6, 9, 20, tzinfo=timezone(timedelta(hours=-8)))
    price = PriceBook(evening_in_the_west).lookup("openai", "o3")
    assert price is not None
    assert price.as_of == "2025-06-10"


def test_says_where_a_price_comes_from() -> None:
    price = PriceBook(AT).lookup("openai", "gpt-4o-mini")
    assert price is not None
    assert (price.source, price.as_of) == (f"genai-prices {genai_prices.__version__}", "2026-10-20")
    assert (price.input.usd_per_1k, price.output.usd_per_1k) == (0.00015, 0.0006)


@pytest.mark.parametrize(
    ("price_id", "model"),
    [
        (None, "gpt-4o-mini"),  # a compatible API is not OpenAI
        ("openai", "no-such-model"),
        ("no-such-provider", "gpt-4o-mini"),
        ("openai", "text-embedding-3-small"),  # lists no price for an answer
        ("perplexity", "sonar-pro"),  # charges per request as well
    ],
)
def test_what_is_not_known_is_none_and_never_free(price_id: str | None, model: str) -> None:
    assert PriceBook(AT).lookup(price_id, model) is None


def test_no_known_model_of_the_supported_providers_has_a_broken_price() -> None:
    from genai_prices.data import providers

    book = PriceBook(AT)
    for provider in providers:
        if provider.id not in {"openai", "anthropic", "google", "x-ai"}:
            continue
        for model in provider.models:
            price = book.lookup(provider.id, model.id)
            usage = Usage(input_tokens=1000, output_tokens=1000)
            assert price is None or list_usd(price, usage) > 0, model.id


def test_context_lengths() -> None:
    book = PriceBook(AT)
    assert book.context_length("openai", "gpt-4o-mini") == 128_000
    assert book.context_length("openai", "no-such-model") is None
    assert book.context_length(None, "gpt-4o-mini") is None


def test_the_operators_price_stands_for_cached_input_too() -> None:
    price = PriceBook(AT).configured(Price(input_per_1k=0.01, output_per_1k=0.03))
    usage = Usage(input_tokens=1000, cache_read_tokens=1000, cache_write_tokens=1000, output_tokens=1000)
    assert list_usd(price, usage) == pytest.approx(0.06)
    assert price.source == "config"


def test_the_operators_prices_of_cached_input_count_where_he_gives_them() -> None:
    own = Price(
        input_per_1k=0.01, output_per_1k=0.03, cache_read_per_1k=0.0, cache_write_per_1k=0.02, as_of="2026-11-01"
    )
    price = PriceBook(AT).configured(own)
    assert list_usd(price, Usage(cache_read_tokens=1000)) == 0
    assert list_usd(price, Usage(cache_write_tokens=1000)) == pytest.approx(0.02)
    assert price.as_of == "2026-11-01"


def test_the_same_data_at_another_moment() -> None:
    later = PriceBook(AT).on(datetime(2027, 2, 1, tzinfo=UTC)).lookup("google", "gemini-3.8-flash")
    now = PriceBook(AT).lookup("google", "gemini-3.8-flash")
    assert now is not None
    assert later is not None
    assert later.input.usd_per_1k == pytest.approx(2 * now.input.usd_per_1k)


def test_knows_from_when_on_another_price_holds() -> None:
    book = PriceBook(AT)
    assert book.next_change("google", "gemini-3.8-flash") == date(2027, 1, 1)
    assert book.on(datetime(2027, 1, 1, tzinfo=UTC)).next_change("google", "gemini-3.8-flash") is None
    assert book.next_change("openai", "gpt-4o-mini") is None
    assert book.next_change("openai", "no-such-model") is None


def test_a_day_from_which_only_other_charges_differ_is_no_change() -> None:
    """Web searches have had a price of their own since 2026-01-05; nothing else changed then."""
    assert PriceBook(datetime(2025, 12, 1, tzinfo=UTC)).next_change("google", "gemini-3-pro-preview") is None


def test_the_newest_entry_says_how_old_the_data_may_be() -> None:
    newest = PriceBook(AT).newest_entry()
    assert newest is not None
    assert date(2026, 1, 1) < newest <= AT.date()
    assert PriceBook(datetime(1999, 1, 1, tzinfo=UTC)).newest_entry() is None


def test_names_the_models_of_a_provider() -> None:
    assert "claude-haiku-5-5" in set(PriceBook(AT).models("anthropic"))
    assert not list(PriceBook(AT).models("no-such-provider"))


@pytest.mark.parametrize("usd", [-0.01, float("nan"), float("inf")])
def test_an_impossible_override_is_refused(usd: float) -> None:
    with pytest.raises(ValueError, match="outputPer1k"):
        PriceBook(AT).configured(Price(input_per_1k=0.01, output_per_1k=usd))


def test_the_price_data_is_loaded_only_for_those_who_ask() -> None:
    program = (
        "import sys; from datetime import datetime, UTC\n"
        "from llm_router.pricing.list_prices import PriceBook\n"
        "from llm_router.config.schema import Price\n"
        "book = PriceBook(datetime.now(UTC))\n"
        "book.configured(Price(input_per_1k=1.0, output_per_1k=1.0)); book.lookup(None, 'x')\n"
        "sys.exit('genai_prices' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
