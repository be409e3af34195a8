"""Configured categories count for requests to the public listener."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.router.ports import free_port
from tests.router.routers import Running, providers, running_router
from tests.router.standins import running_standins


@pytest.fixture(scope="module")
def router() -> Iterator[Running]:
    small = {
        "name": "small",
        "endpoint": f"http://127.0.0.1:{free_port()}",
        "authType": "none",
        "capabilities": ["simple-tasks"],
        "models": [{"name": "tiny"}],
    }
    contracts = {"name": "contracts", "examples": ["Review this contract."], "capability": "complex-tasks"}
    with running_standins() as standins:
        config = {
            "router": {"categories": [contracts]},
            "clusters": [small],
            "externalProviders": providers(standins, "openai"),
        }
        with running_router(config) as running:
            yield running


@pytest.mark.parametrize(
    ("prompt", "categories", "too_complex"),
    [("Please review the contract", ["contracts"], True), ("Good morning", [], False)],
)
def test_a_decision_tells_the_categories_and_minds_what_they_take(
    router: Running, prompt: str, categories: list[str], too_complex: bool
) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": prompt}]}
    decision = router.client.post("/v1/route", json=body).json()
    assert decision["facts"]["categories"] == categories
    refused = {item["target"]: item["reason"].split(":")[0] for item in decision["rejected"]}
    assert (refused.get("small") == "capability") == too_complex
