"""vLLM semantic-router's documented example routes as it says, and each key arrives where it belongs."""

from __future__ import annotations

import pytest

from llm_router.config.load import Loaded, parse
from llm_router.config.scalars import Seconds
from llm_router.config.schema import Cluster, Config, Provider, Rule
from llm_router.errors import ConfigError, NoTarget
from tests.router.config.dialects.decisions import answering, decision
from tests.router.config.dialects.files import ENV, FILES, load_available

DOCUMENTED = FILES / "semantic_router" / "valid" / "documented.yaml"
ONE_CLUSTER = """
inter_cluster_routing:
  cluster_discovery:
    static_clusters:
      - {name: local, type: llama.cpp, endpoint: "http://127.0.0.1:8081", models: [m]}
"""


@pytest.fixture
def documented() -> Loaded:
    return load_available(DOCUMENTED)


def config(text: str) -> Config:
    return parse(text, env=ENV).config


@pytest.mark.parametrize(
    ("model", "requirements", "rule", "first"),
    [
        ("llama-3.1-70b", {"compliance": "gdpr"}, "gdpr-compliance-routing", "eu-west-cluster"),
        ("llama-3.1-70b", {"region": "eu-west-1"}, "eu-data-residency", "eu-west-cluster"),
        ("codellama-34b", {}, "code-generation-routing", "edge-cluster"),
        ("llama-3.1-70b", {"max_latency_ms": "150"}, "latency-optimized-routing", "edge-cluster"),
        ("llama-3.1-70b", {"max_cost_per_1k": "0.002"}, "cost-optimization", "on-prem-gpu-cluster"),
        ("claude-haiku-5-5", {}, "frontier-models", "anthropic-claude"),
        ("llama-3.1-70b", {"max_latency_ms": "250"}, "load-balanced-routing", "on-prem-gpu-cluster"),
    ],
)
def test_each_strategy_of_the_documented_example_acts_on_its_requests(
    documented: Loaded, model: str, requirements: dict[str, str], rule: str, first: str
) -> None:
    found = decision(documented, model, **requirements)
    assert (found.rule, found.choices[0].target.owner) == (rule, first)


def test_failover_targets_follow_in_their_order_and_nobody_else(documented: Loaded) -> None:
    assert answering(documented, "llama-3.1-70b", max_latency_ms="150") == [
        "edge-cluster",
        "on-prem-gpu-cluster",
        "eu-west-cluster",
    ]


def test_a_higher_priority_wins_where_two_strategies_match(documented: Loaded) -> None:
    found = decision(documented, "llama-3.1-70b", compliance="gdpr", max_latency_ms="150")
    assert found.rule == "gdpr-compliance-routing"
    assert [choice.target.owner for choice in found.choices] == ["eu-west-cluster"]


def test_no_strategy_brings_back_who_breaks_a_requirement(documented: Loaded) -> None:
    with pytest.raises(NoTarget, match="compliance"):
        decision(documented, "codellama-34b", compliance="gdpr")


def test_balanced_is_whoever_serves_the_model(documented: Loaded) -> None:
    everybody = {"on-prem-gpu-cluster", "eu-west-cluster", "edge-cluster"}
    assert set(answering(documented, "llama-3.1-70b")) == everybody
    assert answering(documented, "gpt-5.4-mini") == ["openai-cloud"]


def test_a_clusters_keys() -> None:
    text = """
inter_cluster_routing:
  cluster_discovery:
    method: static
    refresh_interval: 45s
    health_check_interval: 10s
    static_clusters:
      - name: on-prem
        location: us-west-2
        type: llama.cpp
        endpoint: https://on-prem.example.com:8000
        authentication: {type: api_key, token: "${EDGE_KEY}"}
        models: [a, b]
        capabilities: {max_context_length: 8192, max_tokens_per_second: 100, features: [tools]}
        compliance: [hipaa]
        cost_per_token: 0.0000015
        health_check: {path: /health, interval: 10s, timeout: 5s}
"""
    loaded = config(text)
    (cluster,) = loaded.clusters
    assert (cluster.name, cluster.endpoint, cluster.region) == (
        "on-prem",
        "https://on-prem.example.com:8000",
        "us-west-2",
    )
    assert (cluster.auth_type, cluster.api_key) == ("apiKey", ENV["EDGE_KEY"])
    assert [(m.name, m.context_length) for m in cluster.models] == [("a", 8192), ("b", 8192)]
    assert (cluster.capacity.decode_tokens_per_second, cluster.capabilities) == (100, ("tools",))
    assert (cluster.compliance, cluster.cost_per_1k_tokens) == (("hipaa",), 0.0015)
    assert (loaded.router.health_check_interval, loaded.discovery.refresh_interval) == (Seconds(10), Seconds(45))


def test_a_fixed_cost_decides_between_clusters() -> None:
    dear = ONE_CLUSTER.replace("models: [m]", "models: [m], cost_per_token: 0.000003")
    cheap = '{name: cheap, type: llama.cpp, endpoint: "http://127.0.0.1:2", models: [m], cost_per_token: 0.000001}'
    loaded = parse(f"{dear}      - {cheap}\n", env=ENV)
    assert answering(loaded, "m") == ["cheap", "local"]


@pytest.mark.parametrize(
    ("written", "endpoint", "native"),
    [
        ("openai", "https://api.openai.com/v1", "openai"),
        ("openai", "https://eu.api.openai.com/v1", "openai"),
        ("openai", "https://llm.example.com/v1", "openai-compatible"),
        ("openai", "https://api.openai.com.example.com/v1", "openai-compatible"),
        ("vllm", "https://llm.example.com", "openai-compatible"),
        ("claude", "https://api.anthropic.com/v1", "claude"),
        ("grok", "https://api.x.ai/v1", "grok"),
    ],
)
def test_a_providers_type(written: str, endpoint: str, native: str) -> None:
    text = f"""
inter_cluster_routing:
  providers:
    - name: p
      type: {written}
      endpoint: {endpoint}
      authentication: {{type: bearer, token: "${{EDGE_KEY}}"}}
      models: [m]
"""
    (provider,) = config(text).external_providers
    assert (provider.type, provider.api_key, provider.base_url) == (native, ENV["EDGE_KEY"], endpoint)


@pytest.mark.parametrize(
    ("endpoint", "private"),
    [
        ("http://10.1.2.3:8000", True),
        ("http://llm-server:8000", True),
        ("http://llm.models.svc:8000", True),
        ("http://127.0.0.1:8000", False),
        ("https://10.1.2.3", False),
    ],
)
def test_plain_http_into_ones_own_network_is_accepted_as_the_dialect_does(endpoint: str, private: bool) -> None:
    signed = 'models: [m], authentication: {type: bearer, token: "${EDGE_KEY}"}'
    text = ONE_CLUSTER.replace("http://127.0.0.1:8081", endpoint).replace("models: [m]", signed)
    assert config(text).clusters[0].private is private


def test_failures() -> None:
    text = (
        ONE_CLUSTER
        + """
  fault_tolerance:
    circuit_breaker: {failure_threshold: 7, timeout: 20s, max_requests: 2}
    retry_policy: {max_retries: 3, retry_on_errors: [timeout, connection_error, server_error, rate_limit]}
    default_fallback_cluster: local
"""
    )
    failover = config(text).router.failover
    assert (failover.max_retries, failover.retry_codes) == (3, (500, 502, 503, 504, 429))
    breaker = failover.circuit_breaker
    assert (breaker.failure_threshold, breaker.success_threshold, breaker.timeout) == (7, 2, Seconds(20))
    assert failover.fallback is not None
    assert failover.fallback.target == "local"


def test_the_strategy_error_means_no_second_attempt() -> None:
    assert config(ONE_CLUSTER + "  fault_tolerance: {fallback_strategy: error}\n").router.failover.enabled is False


def test_strategies_may_stand_inside_too_and_disabled_ones_are_left_out() -> None:
    text = (
        ONE_CLUSTER
        + """
  routing_strategies:
    - {name: off, enabled: false, actions: [{type: route_to_cluster, target: nobody}]}
    - name: on
      priority: 5
      conditions: [{type: model_requirement, required_model: m}]
      actions: [{type: route_to_cluster, target: local}]
"""
    )
    (rule,) = config(text).rules
    assert isinstance(rule, Rule)
    assert (rule.name, rule.priority, rule.conditions[0].type, rule.conditions[0].models) == ("on", 5, "model", ("m",))


def test_a_disabled_section_says_nothing_and_a_disabled_provider_stays_disabled() -> None:
    loaded = load_available(FILES / "semantic_router" / "valid" / "providers-alone.yaml").config
    later = loaded.external_providers[2]
    assert isinstance(later, Provider)
    assert (later.name, later.enabled) == ("later", False)
    assert [
        model if isinstance(model, str) else model.context_length for model in loaded.external_providers[0].models
    ] == [100000]


def test_the_single_cluster_configuration_works_and_its_default_model_answers_for_every_name() -> None:
    loaded = load_available(FILES / "semantic_router" / "valid" / "single-cluster.yaml")
    (cluster,) = loaded.config.clusters
    assert isinstance(cluster, Cluster)
    assert (cluster.endpoint, cluster.weight) == ("http://127.0.0.1:8000", 2)
    assert answering(loaded, "gpt-4") == ["endpoint1"]


def test_references_are_followed_in_any_value() -> None:
    text = ONE_CLUSTER.replace("local", "${CLOUD}-${REGION}").replace("models: [m]", "cost_per_token: ${USD}")
    (cluster,) = parse(text, env={**ENV, "USD": "0.000002"}).config.clusters
    assert (cluster.name, cluster.cost_per_1k_tokens) == ("aws-eu-west-1", 0.002)


def test_endpoints_elsewhere_in_ones_own_network_are_asked_without_a_key() -> None:
    text = """
vllm_endpoints:
  - {name: here, address: 127.0.0.1, port: 8000, models: [m]}
  - {name: there, address: 172.28.0.20, port: 8002, models: [m], weight: 3}
model_config:
  m: {preferred_endpoints: [here]}
  other: {preferred_endpoints: [there]}
default_model: other
"""
    loaded = parse(text, env=ENV)
    (here,), (there,) = loaded.config.clusters, loaded.config.external_providers
    assert (here.auth_type, [model.name for model in here.models]) == ("none", ["m"])
    assert (there.type, there.base_url, there.private) == ("openai-compatible", "http://172.28.0.20:8002", True)
    assert (there.api_key, there.models, there.weight) == (None, ("m", "other"), 3)
    assert set(answering(loaded, "m")) == {"here", "there"}
    assert answering(loaded, "unheard-of") == ["there"]


def test_weighted_balance_goes_by_the_weights_of_the_endpoints() -> None:
    text = """
vllm_endpoints:
  - {name: a, address: 127.0.0.1, port: 8000, models: [m]}
  - {name: b, address: 127.0.0.1, port: 8001, models: [m], weight: 3}
inter_cluster_routing: {}
routing_strategies:
  - name: shares
    actions: [{type: load_balance, targets: [a, b], load_balance_strategy: weighted}]
"""
    loaded = parse(text, env=ENV)
    assert (decision(loaded, "m").rule, answering(loaded, "m")) == ("shares", ["b", "a"])


def test_what_discovery_needs_beside_the_dialects_words_stands_in_its_native_section() -> None:
    text = """
inter_cluster_routing:
  cluster_discovery: {method: consul, refresh_interval: 45s}
discovery: {template: {authType: bearer, apiKey: "${EDGE_KEY}"}, consul: {service: llm}}
"""
    found = config(text).discovery
    assert (found.method, found.refresh_interval, found.template.api_key) == ("consul", Seconds(45), ENV["EDGE_KEY"])
    assert found.consul is not None
    assert found.consul.service == "llm"


def providers(*more: str) -> tuple[Provider, ...]:
    listed = "".join(f"    - {{name: p{i}, models: [m], {one}}}\n" for i, one in enumerate(more))
    return config(f"inter_cluster_routing:\n  providers:\n{listed}").external_providers


def test_azure_loads_and_vertex_only_where_nobody_asks_it() -> None:
    own = 'type: azure, endpoint: "https://x.openai.azure.com", authentication: {type: bearer, token: "${EDGE_KEY}"}'
    azure, off = providers(own, "type: vertex, location: us-central1, enabled: false")
    assert (azure.type, azure.enabled, azure.base_url) == ("azure", True, "https://x.openai.azure.com")
    assert (off.type, off.region) == ("vertex", "us-central1")
    with pytest.raises(ConfigError) as caught:
        providers(own, "type: vertex, location: us-central1")
    (problem,) = caught.value.problems
    assert problem.path == "inter_cluster_routing.providers[1].type"
    assert problem.message.startswith("there is no word for the project that vertex needs: set enabled: false")
