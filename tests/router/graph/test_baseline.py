"""A configured baseline is what every record is compared with, and one without a price is refused."""

from __future__ import annotations

import pytest

from llm_router.errors import ConfigError
from tests.router.routers import providers, running_router
from tests.router.standins import running_standins


def test_savings_are_measured_against_the_configured_model() -> None:
    with running_standins() as standins:
        listed = providers(standins)
        config = {"externalProviders": listed, "router": {"cost": {"baseline": "openai/gpt-5.4-mini"}}}
        with running_router(config) as router:
            answer = router.chat(model="claude-haiku-5-5")
            assert answer.headers["x-llm-router-target"] == "anthropic"
            record = router.ledger.recent(1)[0]
            assert (record.baseline, record.savings_usd is None) == ("openai", False)
            shown = router.admin.get("/admin/savings").json()
            assert (shown["baseline"], list(shown["baselines"])) == ("openai", ["openai"])
            assert shown["savings_usd"] == record.savings_usd


def test_a_baseline_that_nobody_knows_the_price_of_is_refused() -> None:
    with running_standins() as standins:
        (openai,) = providers(standins, "openai")
        config = {
            "externalProviders": [openai | {"models": ["model-without-a-price"]}],
            "router": {"cost": {"baseline": "openai"}},
        }
        with pytest.raises(ConfigError, match="no list price is known for openai"):
            with running_router(config):
                pass
