"""Loom's documented example routes as it says, and each key arrives where it belongs."""

from __future__ import annotations

from collections import Counter

import pytest

from llm_router.config.load import Loaded, parse
from llm_router.config.scalars import Seconds
from llm_router.config.schema import Config, RateLimit
from tests.router.config.dialects.decisions import answering, decision
from tests.router.config.dialects.files import ENV, FILES, load_available

DOCUMENTED = FILES / "loom" / "valid" / "documented.yaml"
TWO = """
ai_gateway:
  providers:
    - {name: openai, type: openai, api_key: "${OPENAI_API_KEY}", models: [small, large]}
    - {name: claude, type: anthropic, api_key: "${ANTHROPIC_API_KEY}", models: [haiku]}
"""


def config(text: str) -> Config:
    return parse(text, env=ENV).config


def documented(strategy: str = "priority") -> Loaded:
    return parse(DOCUMENTED.read_text().replace("strategy: priority", f"strategy: {strategy}"), env=ENV)


def test_the_documented_example_prefers_by_priority_and_ends_with_the_fallback() -> None:
    loaded = load_available(DOCUMENTED)
    assert answering(loaded, "fast") == ["openai", "anthropic"]
    assert answering(loaded, "gpt-5.4") == ["openai", "anthropic", "local"]


def test_a_mapped_name_reaches_the_model_that_each_provider_has_for_it_and_no_other() -> None:
    models = [choice.target.model for choice in decision(load_available(DOCUMENTED), "gpt-5.4").choices]
    assert models == ["gpt-5.4-2026-03", "claude-sonnet-5-5", "llama-3.1-70b"]


def test_by_cost_the_free_one_is_first_until_it_is_the_last_resort() -> None:
    text = DOCUMENTED.read_text().replace("strategy: priority", "strategy: cost")
    assert answering(parse(text.replace("    fallback:", "    # fallback:"), env=ENV), "gpt-5.4")[0] == "local"
    assert answering(parse(text, env=ENV), "gpt-5.4") == ["anthropic", "openai", "local"]


def test_by_model_each_goes_its_route_and_unknown_names_the_default() -> None:
    loaded = documented("model")
    assert answering(loaded, "claude-haiku-5-5")[0] == "anthropic"
    assert answering(loaded, "gpt-5.4-mini")[0] == "openai"
    assert answering(loaded, "never-heard-of") == ["openai"]


@pytest.mark.parametrize("strategy", ["round_robin", "weighted", "latency", "failover"])
def test_every_strategy_has_an_order(strategy: str) -> None:
    loaded = documented(strategy)
    assert loaded.config.router.routing_strategy == strategy
    assert Counter(answering(loaded, "fast")) == {"openai": 1, "anthropic": 1}


def test_what_the_routing_says() -> None:
    loaded = load_available(DOCUMENTED).config
    openai, anthropic, local = loaded.external_providers
    assert [p.weight for p in loaded.external_providers] == [60, 30, 10]
    assert anthropic.price is not None
    assert (anthropic.price.input_per_1k, anthropic.price.output_per_1k) == (0.008, 0.024)
    assert (openai.organization, openai.headers, openai.health_check.timeout) == (
        "org-search",
        {"X-Team": "search"},
        Seconds(5),
    )
    assert (local.type, local.private) == ("openai-compatible", True)
    assert openai.rate_limit == RateLimit(requests_per_minute=500, tokens_per_minute=90000, concurrent_requests=50)
    assert anthropic.rate_limit == RateLimit(requests_per_minute=1000, tokens_per_minute=100000)
    failover = loaded.router.failover
    assert (failover.max_retries, failover.retry_codes) == (2, (429, 500, 502, 503))
    assert failover.circuit_breaker.timeout == Seconds(60)
    assert failover.fallback is not None
    assert (failover.fallback.target, failover.fallback.on_rate_limit) == ("local", True)
    assert (loaded.router.latency.window, loaded.router.latency.percentile) == (Seconds(300), 95)


def test_one_provider_without_a_word_about_models_answers_every_name() -> None:
    loaded = load_available(FILES / "loom" / "valid" / "one-provider.yaml")
    assert answering(loaded, "gpt-4") == ["openai"]


def test_priorities_at_the_providers_mean_the_strategy_priority() -> None:
    text = TWO.replace("[haiku]", "[haiku], priority: 1").replace("large]", "large], priority: 2")
    assert config(text).router.routing_strategy == "priority"
    assert config(TWO).router.routing_strategy == Config().router.routing_strategy


@pytest.mark.parametrize(
    ("routing", "expected"),
    [
        ("{strategy: priority, providers: [{name: openai, priority: 4}]}", {"enabled": False}),
        (
            "{strategy: priority, providers: [{name: openai, priority: 4}], fallback: {provider: claude}}",
            {"enabled": True, "priority": 5},
        ),
        (
            "{strategy: weighted, providers: [{name: openai, weight: 4}], fallback: {provider: claude}}",
            {"enabled": True, "weight": 0},
        ),
        (
            "{strategy: model, providers: [{name: openai}], model_routes: {haiku: claude}}",
            {"enabled": True, "priority": 1, "weight": 1},
        ),
    ],
)
def test_who_is_left_out_of_the_routing_answers_only_where_he_is_named(
    routing: str, expected: dict[str, object]
) -> None:
    claude = config(f"{TWO}  routing: {routing}\n").external_providers[1]
    assert {key: getattr(claude, key) for key in expected} == expected


def test_what_the_routing_says_about_a_provider_goes_before_what_he_says_himself() -> None:
    text = TWO.replace("[haiku]", "[haiku], weight: 1, cost: {input_per_1k: 1, output_per_1k: 2}")
    entry = "{name: claude, weight: 7, cost: {input_per_1k: 3, output_per_1k: 4}}"
    text += f"  routing: {{providers: [{{name: openai}}, {entry}]}}\n"
    claude = config(text).external_providers[1]
    assert claude.price is not None
    assert (claude.weight, claude.price.input_per_1k) == (7, 3)


def test_fallback_as_a_word_switches_failover() -> None:
    assert config(TWO + "  routing: {fallback: false}\n").router.failover.enabled is False


def test_the_native_sections_may_stand_beside() -> None:
    assert load_available(FILES / "loom" / "valid" / "beside-other-sections.yaml").config.server.port == 8443


def test_the_gateways_own_limit_is_each_providers_who_has_none_and_says_so() -> None:
    text = TWO.replace("[haiku]", "[haiku], rate_limit: {requests_per_minute: 7}")
    loaded = parse(text + "  rate_limit: {concurrent_requests: 3}\n", env=ENV)
    limits = [provider.rate_limit for provider in loaded.config.external_providers]
    assert limits == [RateLimit(concurrent_requests=3), RateLimit(requests_per_minute=7)]
    assert [warning.path for warning in loaded.warnings] == ["ai_gateway.rate_limit"]


def test_a_default_model_is_the_native_one_and_a_last_resort_needs_no_place_in_the_routing() -> None:
    gateway = """
ai_gateway:
  providers:
    - {name: openai, type: openai, api_key: "${OPENAI_API_KEY}", default_model: gpt-4, models: [gpt-4, gpt-5.4-mini]}
    - name: local
      type: openai-compatible
      base_url: http://127.0.0.1:11434/v1
      api_key: "${OPENAI_API_KEY}"
      default_model: llama3
  routing: {strategy: cost, providers: [{name: openai}], fallback: {provider: local}}
"""
    config = parse(gateway, "loom.yaml", {"OPENAI_API_KEY": "sk-0123456789abcdef0123456789"}).config
    assert [(p.name, p.default_model, p.enabled) for p in config.external_providers] == [
        ("openai", "gpt-4", True),
        ("local", "llama3", True),
    ]
    assert config.router.failover.fallback is not None
    assert config.router.failover.fallback.target == "local"


@pytest.mark.parametrize(
    ("routing", "order"),
    [
        ("", ["one", "two", "three"]),
        ("providers: [{name: three}, {name: one}, {name: two}]", ["three", "one", "two"]),
        ("providers: [{name: one, priority: 3}, {name: two}, {name: three, priority: 2}]", ["two", "three", "one"]),
    ],
)
def test_failover_goes_by_priority_then_by_the_list_of_routing(routing: str, order: list[str]) -> None:
    text = "ai_gateway:\n  providers:\n" + "".join(
        f'    - {{name: {name}, type: openai, api_key: "${{OPENAI_API_KEY}}", models: [m]}}\n'
        for name in ("one", "two", "three")
    )
    loaded = parse(f"{text}  routing:\n    strategy: failover\n    {routing}\n", env=ENV)
    assert answering(loaded, "m") == order


def test_azure_and_vertex_load_like_the_others() -> None:
    azure, vertex = config("""
ai_gateway:
  providers:
    - {name: az, type: azure_openai, api_key: "${OPENAI_API_KEY}", endpoint: "https://x.openai.azure.com", models: [m],
       api_version: "2024-10-21", deployments: {m: mine}}
    - {name: vx, type: vertex, project_id: project-1, location: us-central1, models: [g]}
""").external_providers
    assert (azure.type, azure.api_version, azure.deployments) == ("azure", "2024-10-21", {"m": "mine"})
    assert (vertex.type, vertex.project_id, vertex.location) == ("vertex", "project-1", "us-central1")
