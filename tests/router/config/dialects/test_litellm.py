"""LiteLLM's documented example routes as it says, and each key arrives where it belongs."""

from __future__ import annotations

import pytest

from llm_router.config.dialects.litellm_accounts import split
from llm_router.config.load import parse
from llm_router.config.scalars import Seconds, Secret
from llm_router.config.schema import Config, RateLimit, StateStore
from tests.router.config.dialects.decisions import answering, decision
from tests.router.config.dialects.files import ENV, FILES, load_available

DOCUMENTED = FILES / "litellm" / "valid" / "documented.yaml"


def config(text: str) -> Config:
    return parse(text, env=ENV).config


def one(params: str, more: str = "") -> Config:
    return config(f"model_list:\n  - {{model_name: a, litellm_params: {{{params}}}}}\n{more}")


def test_deployments_of_one_name_share_its_requests_and_the_fallback_follows() -> None:
    loaded = load_available(DOCUMENTED)
    shared = ["openai-gpt-5.4-mini", "claude-account"]
    fallback = "hosted_vllm-meta-llama-Llama-3.1-8B-Instruct"
    for name in ("chat", "gpt-4"):
        found = decision(loaded, name)
        assert [choice.target.owner for choice in found.choices] == [*shared, fallback]
        assert found.rule == "fallback-1"
    assert answering(loaded, "self-hosted") == [fallback]
    assert answering(loaded, "gemini-3.5-flash-lite") == ["gemini-gemini-3.5-flash-lite"]


def test_what_the_documented_example_says() -> None:
    loaded = load_available(DOCUMENTED).config
    openai, claude, gemini, own = loaded.external_providers
    assert [p.api_key for p in loaded.external_providers] == [
        ENV["OPENAI_API_KEY"],
        ENV["ANTHROPIC_API_KEY"],
        ENV["GEMINI_API_KEY"],
        ENV["EDGE_KEY"],
    ]
    assert (openai.weight, claude.weight) == (2, 1)
    assert gemini.price is not None
    assert (gemini.price.input_per_1k, gemini.price.output_per_1k) == (0.0003, 0.0025)
    assert (own.type, own.base_url, own.private) == ("openai-compatible", "http://10.0.0.7:8000", True)
    assert openai.rate_limit == RateLimit(requests_per_minute=500, tokens_per_minute=90000)
    assert claude.rate_limit == RateLimit(concurrent_requests=20)
    state = loaded.state
    assert (state.backend, state.url, state.password, state.private) == (
        "redis",
        "redis://redis.internal:6379/0",
        ENV["REDIS_PASSWORD"],
        True,
    )
    router = loaded.router
    assert (router.routing_strategy, router.failover.max_retries, router.timeouts.total) == (
        "weighted",
        3,
        Seconds(120),
    )
    assert router.failover.circuit_breaker.failure_threshold == 4
    assert router.failover.circuit_breaker.timeout == Seconds(30)


@pytest.mark.parametrize(
    ("model", "provider", "expected"),
    [
        ("openai/gpt-5.4-mini", None, ("openai", "gpt-5.4-mini")),
        ("openai/facebook/opt-125m", None, ("openai", "facebook/opt-125m")),
        ("gpt-5.4-mini", None, ("openai", "gpt-5.4-mini")),
        ("o3", None, ("openai", "o3")),
        ("claude-haiku-5-5", None, ("anthropic", "claude-haiku-5-5")),
        ("gemini-3.5-flash-lite", None, ("gemini", "gemini-3.5-flash-lite")),
        ("mistral-large", None, ("", "mistral-large")),
        ("mistral-large", "mistral", ("mistral", "mistral-large")),
        ("meta-llama/Llama", "hosted_vllm", ("hosted_vllm", "meta-llama/Llama")),
    ],
)
def test_whose_model_it_is(model: str, provider: str | None, expected: tuple[str, str]) -> None:
    assert split(model, provider) == expected


@pytest.mark.parametrize(
    ("params", "kind", "base_url"),
    [
        ("model: openai/m, api_key: k", "openai", None),
        (
            "model: openai/m, api_key: k, api_base: https://llm.example.com",
            "openai-compatible",
            "https://llm.example.com",
        ),
        ("model: groq/m, api_key: k", "openai-compatible", "https://api.groq.com/openai/v1"),
        ("model: xai/m, api_key: k", "xai", None),
    ],
)
def test_a_models_provider(params: str, kind: str, base_url: str | None) -> None:
    (provider,) = one(params).external_providers
    assert (provider.type, provider.base_url, provider.models) == (kind, base_url, ("m",))


def test_names_are_those_of_the_models_made_unique() -> None:
    entries = "".join("  - {model_name: a, litellm_params: {model: openai/gpt-5.4-mini}}\n" for _ in range(3))
    names = [p.name for p in config("model_list:\n" + entries).external_providers]
    assert names == ["openai-gpt-5.4-mini", "openai-gpt-5.4-mini-2", "openai-gpt-5.4-mini-3"]


@pytest.mark.parametrize(
    ("first", "second", "weights"),
    [(", weight: 3", ", weight: 1", [3, 1]), (", weight: 3", "", [3, 0]), ("", "", [1, 1])],
)
def test_a_group_is_shuffled_by_what_its_members_state(first: str, second: str, weights: list[int]) -> None:
    entry = "  - {{model_name: a, litellm_params: {{model: openai/gpt-5.4-mini{}}}}}\n"
    text = "model_list:\n" + entry.format(first) + entry.format(second)
    loaded = config(text)
    assert [p.weight for p in loaded.external_providers] == weights
    assert loaded.router.routing_strategy == "weighted"


@pytest.mark.parametrize(("written", "native"), [("latency-based-routing", "latency"), ("cost-based-routing", "cost")])
def test_strategies(written: str, native: str) -> None:
    assert (
        one("model: openai/m", f"router_settings: {{routing_strategy: {written}}}\n").router.routing_strategy == native
    )


def test_without_anything_to_choose_from_the_routers_own_strategy_stands() -> None:
    assert one("model: openai/m").router.routing_strategy == Config().router.routing_strategy


@pytest.mark.parametrize(
    ("settings", "total", "first_token", "connect"),
    [
        ("router_settings: {timeout: 120}", 120, 30, 2),
        ("litellm_settings: {request_timeout: 10}", 10, 10, 2),
        ("litellm_settings: {request_timeout: 10}\nrouter_settings: {timeout: 1}", 1, 1, 1),
        ("router_settings: {timeout: 120, stream_timeout: 7}", 120, 7, 2),
    ],
)
def test_timeouts_fit_together(settings: str, total: float, first_token: float, connect: float) -> None:
    timeouts = one("model: openai/m", settings).router.timeouts
    assert (timeouts.total, timeouts.first_token, timeouts.connect) == (total, first_token, connect)


def test_default_fallbacks_stand_in_for_every_other_name() -> None:
    text = """
model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-5.4-mini}}
  - {model_name: b, litellm_params: {model: openai/gpt-5.4}}
  - {model_name: c, litellm_params: {model: anthropic/claude-haiku-5-5}}
router_settings: {default_fallbacks: [c], fallbacks: [{a: [b]}]}
"""
    loaded = parse(text, env=ENV)
    names = {"a": "openai-gpt-5.4-mini", "b": "openai-gpt-5.4", "c": "anthropic-claude-haiku-5-5"}
    assert answering(loaded, "a") == [names["a"], names["b"]]
    assert answering(loaded, "b") == [names["b"], names["c"]]
    assert answering(loaded, "c") == [names["c"]]


def test_a_master_key_is_told_to_be_of_no_use_and_does_not_open_the_router() -> None:
    text = DOCUMENTED.read_text()
    assert [w.path for w in parse(text, env=ENV).warnings] == ["general_settings.master_key"]
    with pytest.raises(Exception, match="without API keys the router serves loopback only"):
        parse("server: {host: 0.0.0.0}\n" + text, env=ENV)


def test_a_default_of_parallel_requests_is_each_deployments_that_says_none() -> None:
    text = "model_list:\n"
    for more in ("", ", max_parallel_requests: 2"):
        text += f"  - {{model_name: a, litellm_params: {{model: openai/m, api_key: k{more}}}}}\n"
    limits = config(text + "router_settings: {default_max_parallel_requests: 9}\n").external_providers
    assert [p.rate_limit for p in limits] == [RateLimit(concurrent_requests=9), RateLimit(concurrent_requests=2)]


def test_a_redis_url_is_taken_as_it_is() -> None:
    state = one(
        "model: openai/m, api_key: k", "router_settings: {redis_url: 'rediss://u:p@redis.example.com/1'}\n"
    ).state
    assert state == StateStore(backend="redis", url=Secret("rediss://u:p@redis.example.com/1"))


def test_azure_and_vertex_load_like_the_others() -> None:
    params = "model: azure/mine, api_base: https://x.openai.azure.com, api_key: os.environ/OPENAI_API_KEY"
    (azure,) = one(params).external_providers
    assert (azure.type, azure.deployments) == ("azure", {"mine": "mine"})
    params = "model: vertex_ai/gemini-2.5-flash, vertex_project: project-1, vertex_location: us-central1"
    (vertex,) = one(params).external_providers
    assert (vertex.type, vertex.project_id, vertex.location) == ("vertex", "project-1", "us-central1")
