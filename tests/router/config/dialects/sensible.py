"""Documents as people write them, drawn at random: every one of them loads."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]
Draw = st.DrawFn

MODELS = ["gpt-5.4-mini", "llama-3.1-70b", "claude-haiku-5-5", "m"]
secrets = st.sampled_from(["${OPENAI_API_KEY}", "${EDGE_KEY}", "sk-0123456789abcdefghij"])
durations = st.sampled_from(["10s", "30s", "5m", 60])
models = st.lists(st.sampled_from(MODELS), min_size=1, max_size=3, unique=True)
usd = st.sampled_from([0.001, 0.03, 1, 0.0000015])
counts = st.integers(1, 9)


def some(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Document]:
    """Each key is there or not."""
    return st.fixed_dictionaries({}, optional=optional)


@st.composite
def semantic_router(draw: Draw) -> Document:
    names = draw(st.lists(st.sampled_from(["eu", "us", "${CLOUD}-x", "edge"]), min_size=1, max_size=4, unique=True))
    clusters = [draw(_cluster(name)) for name in names]
    providers = draw(st.lists(_sr_provider("openai-cloud"), max_size=1))
    serving = sorted({model for owner in (*clusters, *providers) for model in owner.get("models", [])})
    chosen = draw(st.lists(st.sampled_from(serving), max_size=2, unique=True)) if serving else []
    strategies = [_sr_strategy(draw, i, model, clusters) for i, model in enumerate(chosen)]
    inside, outside = draw(st.permutations([strategies, []]))
    multi = {
        **draw(some(enabled=st.just(True), fault_tolerance=_tolerance(names[0]))),
        "cluster_discovery": {
            **draw(some(refresh_interval=durations, health_check_interval=durations)),
            "static_clusters": clusters,
        },
        "providers": providers,
        "routing_strategies": inside,
    }
    with_default: bool = draw(st.booleans())
    extra = {"default_model": serving[0]} if serving and with_default else {}
    return {"inter_cluster_routing": multi, "routing_strategies": outside, **extra}


def _cluster(name: str) -> st.SearchStrategy[Document]:
    fixed = {"name": st.just(name), "type": st.just("llama.cpp")}
    near = {**fixed, "endpoint": st.just("http://127.0.0.1:8081")}
    far = {
        **fixed,
        "endpoint": st.sampled_from(["https://llm.example.com:8000", "http://10.0.0.7:8000", "http://gpu:8000/v1"]),
        "authentication": st.one_of(
            st.fixed_dictionaries({"type": st.just("bearer"), "token": secrets}),
            st.fixed_dictionaries({"type": st.just("api_key"), "key": secrets}),
        ),
    }
    optional = {
        "location": st.sampled_from(["eu-west-1", "${REGION}"]),
        "models": models,
        "capabilities": some(max_context_length=counts, max_tokens_per_second=counts, features=st.just(["tools"])),
        "performance": some(avg_latency_ms=counts, availability=st.just(99.5)),
        "compliance": st.just(["hipaa", "gdpr"]),
        "cost_per_token": st.sampled_from([0.0000015, 0.001, "${NODE_PRICE}"]),
    }
    return st.one_of(st.fixed_dictionaries(near, optional=optional), st.fixed_dictionaries(far, optional=optional))


def _sr_provider(name: str) -> st.SearchStrategy[Document]:
    return st.fixed_dictionaries(
        {
            "name": st.just(name),
            "type": st.sampled_from(["openai", "claude", "grok"]),
            "authentication": st.fixed_dictionaries({"type": st.just("api_key"), "key": secrets}),
            "models": models,
        },
        optional={"endpoint": st.just("https://llm.example.com/v1"), "location": st.just("us")},
    )


def _sr_strategy(draw: Draw, number: int, model: str, clusters: list[Document]) -> Document:
    able = [c["name"] for c in clusters if model in c.get("models", [model])]
    action = {"type": "load_balance"}
    to_one: bool = draw(st.booleans())
    if able and to_one:
        action = {"type": "route_to_cluster", "target": draw(st.sampled_from(able))}
    condition = {"type": "model_requirement", "required_model": model}
    return {"name": f"s{number}", "priority": 100 - number, "conditions": [condition], "actions": [action]}


def _tolerance(cluster: str) -> st.SearchStrategy[Document]:
    return some(
        circuit_breaker=some(failure_threshold=counts, timeout=durations, max_requests=counts),
        retry_policy=some(max_retries=counts, retry_on_errors=st.just(["timeout", "connection_error", "server_error"])),
        default_fallback_cluster=st.just(cluster),
    )


@st.composite
def loom(draw: Draw) -> Document:
    names = draw(st.lists(st.sampled_from(["openai", "claude", "local"]), min_size=1, max_size=3, unique=True))
    providers = [draw(_loom_provider(name)) for name in names]
    entries = [{"name": name, **draw(_standing())} for name in names]
    routing = draw(
        some(
            strategy=st.sampled_from(
                ["priority", "round_robin", "weighted", "cost", "latency", "model", "least_latency"]
            ),
            providers=st.just(entries),
            latency=some(window=durations, percentile=st.sampled_from([50, 95.5])),
            model_routes=st.just({providers[0]["models"][0]: names[0], "default": names[-1]}),
            failover=some(
                enabled=st.booleans(),
                max_retries=counts,
                retry_codes=st.just([429, 503]),
                circuit_breaker=some(failure_threshold=counts, success_threshold=counts, timeout=durations),
            ),
            fallback=st.booleans() | st.just({"provider": names[-1], "on_error": True}),
        )
    )
    if routing.get("strategy") == "model":
        routing["model_routes"] = {"default": names[0]}
    mapping = {"fast": {name: draw(st.sampled_from(MODELS)) for name in names}} if draw(st.booleans()) else {}
    return {"ai_gateway": {"providers": providers, "routing": routing, "model_mapping": mapping}}


def _standing() -> st.SearchStrategy[Document]:
    cost = st.fixed_dictionaries({"input_per_1k": usd, "output_per_1k": usd})
    check = some(enabled=st.booleans(), interval=durations, timeout=durations, endpoint=st.just("/v1/models"))
    limits = some(requests_per_minute=counts, tokens_per_minute=counts, concurrent_requests=counts)
    return some(priority=counts, weight=counts, cost=cost, health_check=check, rate_limit=limits)


def _loom_provider(name: str) -> st.SearchStrategy[Document]:
    kinds = {"openai": "openai", "claude": "anthropic", "local": "openai"}
    fixed = {"name": st.just(name), "type": st.just(kinds[name]), "api_key": secrets, "models": models}
    if name == "local":
        fixed["base_url"] = st.sampled_from(["http://llm-server:8000/v1", "https://llm.example.com"])
    headers = st.just({"X-Team": "${CLOUD}"})
    own = st.fixed_dictionaries(fixed, optional={"headers": headers, "enabled": st.just(True)})
    return st.tuples(own, _standing()).map(lambda both: {**both[1], **both[0]})


@st.composite
def litellm(draw: Draw) -> Document:
    entries = draw(st.lists(_entry(), min_size=1, max_size=5))
    groups = sorted({entry["model_name"] for entry in entries})
    settings = draw(
        some(
            routing_strategy=st.just("simple-shuffle"),
            num_retries=counts,
            timeout=st.sampled_from([5, 120.5]),
            allowed_fails=counts,
            cooldown_time=counts,
            model_group_alias=st.just({"an-alias": groups[0]}),
            fallbacks=st.just([{groups[0]: [groups[-1]]}] if len(groups) > 1 else []),
        )
    )
    return {"model_list": entries, "router_settings": settings}


def _entry() -> st.SearchStrategy[Document]:
    params = st.fixed_dictionaries(
        {
            "model": st.sampled_from(
                ["openai/gpt-5.4-mini", "claude-haiku-5-5", "groq/llama-3.3-70b", "xai/${CLOUD}-4"]
            ),
            "api_key": secrets | st.just("os.environ/OPENAI_API_KEY"),
        },
        optional={
            "weight": counts,
            "rpm": counts,
            "tpm": counts,
            "region_name": st.just("eu"),
            "extra_headers": st.just({"X-Team": "a"}),
        },
    )
    prices = {"input_cost_per_token": usd, "output_cost_per_token": usd}
    info = st.fixed_dictionaries(prices, optional={"max_input_tokens": counts}) | some(max_input_tokens=counts)
    return st.fixed_dictionaries(
        {"model_name": st.sampled_from(["chat", "small", "code"]), "litellm_params": params},
        optional={"model_info": info},
    )
