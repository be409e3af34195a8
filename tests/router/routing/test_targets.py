"""The configuration's clusters and providers become targets with names, aliases, windows and prices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from llm_router.config.schema import (
    Capacity,
    Cluster,
    ClusterModel,
    Config,
    Price,
    Provider,
    ProviderModel,
    Router,
    Scaling,
)
from llm_router.errors import ConfigError
from llm_router.model import Target, WireName
from llm_router.pricing.list_prices import PriceBook
from llm_router.routing.targets import build_targets, default_target

PRICES = PriceBook(datetime(2026, 10, 20, tzinfo=UTC))
AWS = Cluster(name="aws", endpoint="https://aws")
OPENAI = Provider(name="openai", type="openai", default_model="gpt-5.4-mini")
SHIM = Provider(name="shim", type="openai-compatible", base_url="https://shim/v1", default_model="own")


def config(*owners: Cluster | Provider, **router: Any) -> Config:
    return Config(
        clusters=tuple(owner for owner in owners if isinstance(owner, Cluster)),
        external_providers=tuple(owner for owner in owners if isinstance(owner, Provider)),
        router=Router(**router),
    )


def targets(*owners: Cluster | Provider, **router: Any) -> dict[str, Target]:
    return {target.name: target for target in build_targets(config(*owners, **router), PRICES)}


def problems(*owners: Cluster | Provider, **router: Any) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        build_targets(config(*owners, **router), PRICES)
    return {problem.path: problem.message for problem in caught.value.problems}


def test_in_the_order_of_the_configuration_clusters_first() -> None:
    gcp = Cluster(name="gcp", endpoint="https://gcp")
    assert list(targets(OPENAI, gcp, AWS, SHIM)) == ["gcp", "aws", "openai", "shim"]


def test_one_model_takes_the_owners_name_several_add_their_own() -> None:
    two = msgspec.structs.replace(
        AWS, models=(ClusterModel(name="tiny", context_length=2048), ClusterModel(name="big"))
    )
    one = msgspec.structs.replace(OPENAI, name="other", models=("gpt-5.4-mini",))
    assert [(t.name, t.model, t.context_length) for t in targets(two, one).values()] == [
        ("aws/tiny", "tiny", 2048),
        ("aws/big", "big", None),
        ("other", "gpt-5.4-mini", 400_000),
    ]


def test_who_declares_no_models_accepts_every_name() -> None:
    found = targets(AWS, OPENAI)
    assert (found["aws"].any_model, found["aws"].model) == (True, "default")
    assert (found["openai"].any_model, found["openai"].model) == (True, "gpt-5.4-mini")
    declared = targets(msgspec.structs.replace(OPENAI, models=("gpt-5.4-mini",)))
    assert not declared["openai"].any_model


def test_a_default_model_is_served_whether_listed_or_not() -> None:
    found = targets(msgspec.structs.replace(OPENAI, models=("gpt-5.4",)))
    assert list(found) == ["openai/gpt-5.4", "openai/gpt-5.4-mini"]


def test_a_disabled_provider_has_no_targets() -> None:
    assert not targets(msgspec.structs.replace(OPENAI, enabled=False))


def test_a_cluster_is_described_as_configured() -> None:
    full = msgspec.structs.replace(
        AWS,
        region="us-west-2",
        provider="aws",
        compliance=("hipaa", "gdpr"),
        capabilities=("simple-tasks",),
        capacity=Capacity(prefill_tokens_per_second=100),
        scaling=Scaling(min_nodes=0, max_nodes=3),
        priority=3,
    )
    assert targets(full)["aws"] == Target(
        name="aws",
        kind="cluster",
        owner="aws",
        model="default",
        wire="llama.cpp",
        any_model=True,
        region="us-west-2",
        cloud="aws",
        compliance=frozenset({"hipaa", "gdpr"}),
        capabilities=frozenset({"simple-tasks"}),
        priority=3,
        always_on=False,
        cold_start_s=90.0,
        prefill_tokens_per_second=100,
    )


@pytest.mark.parametrize(
    ("kind", "wire", "model"),
    [
        ("openai", "openai", "gpt-4o-mini"),
        ("anthropic", "anthropic", "claude-haiku-5-5"),
        ("claude", "anthropic", "claude-haiku-5-5"),
        ("gemini", "gemini", "gemini-3.5-flash-lite"),
        ("xai", "openai", "grok-4"),
        ("grok", "openai", "grok-4"),
    ],
)
def test_a_provider_type_brings_its_wire_prices_and_windows(kind: str, wire: WireName, model: str) -> None:
    target = targets(Provider(name="it", type=kind, default_model=model, region="us", compliance=("gdpr",)))["it"]
    assert (target.wire, target.region, target.compliance) == (wire, "us", frozenset({"gdpr"}))
    assert target.list_price is not None
    assert target.context_length is not None


def test_what_a_compatible_api_costs_is_unknown_until_configured() -> None:
    assert targets(SHIM)["shim"].list_price is None
    priced = msgspec.structs.replace(SHIM, price=Price(input_per_1k=0.01, output_per_1k=0.03))
    price = targets(priced)["shim"].list_price
    assert price is not None
    assert (price.input.usd_per_1k, price.output.usd_per_1k, price.source) == (0.01, 0.03, "config")


def test_the_configuration_overrides_price_data_and_window() -> None:
    own = msgspec.structs.replace(
        OPENAI,
        models=(ProviderModel(name="gpt-5.4-mini", context_length=1000),),
        price=Price(input_per_1k=1.0, output_per_1k=2.0),
    )
    target = targets(own)["openai"]
    assert target.context_length == 1000
    assert target.list_price is not None
    assert target.list_price.source == "config"


def test_a_mapping_gives_each_owner_its_alias() -> None:
    two = msgspec.structs.replace(AWS, name="gpu", models=(ClusterModel(name="tiny"), ClusterModel(name="big")))
    mapping = {"fast": {"openai": "gpt-5.4-mini", "gpu": "tiny", "aws": "whatever"}, "smart": {"gpu": "big"}}
    found = targets(two, AWS, OPENAI, model_mapping=mapping)
    assert {name: target.aliases for name, target in found.items()} == {
        "gpu/tiny": {"fast"},
        "gpu/big": {"smart"},
        "aws": {"fast"},
        "openai": {"fast"},
    }


def test_a_mapping_to_nobody_is_a_problem_with_its_path() -> None:
    off = msgspec.structs.replace(OPENAI, name="off", enabled=False)
    mapping = {"fast": {"openia": "gpt-5.4-mini", "openai": "gpt-5.5", "off": "gpt-9"}}
    found = problems(OPENAI, off, model_mapping=mapping)
    assert found == {
        "router.modelMapping.fast.openia": "'openia' is no cluster or provider; known are openai",
        "router.modelMapping.fast.openai": "'openai' does not serve 'gpt-5.5'; list it under its models",
    }


def test_owners_that_cannot_be_served_are_all_named_at_once() -> None:
    found = problems(
        AWS,
        Provider(name="aws", type="openai", default_model="gpt-5.4-mini"),
        Provider(name="odd", type="cohere", default_model="x"),
        Provider(name="empty", type="openai"),
    )
    assert list(found) == ["externalProviders[aws]", "externalProviders[odd].type", "externalProviders[empty]"]
    assert "two targets are called 'aws'" in found["externalProviders[aws]"]
    assert "known are anthropic, azure, claude" in found["externalProviders[odd].type"]
    assert "defaultModel" in found["externalProviders[empty]"]


def test_the_default_route_names_an_owner_or_a_target() -> None:
    two = msgspec.structs.replace(OPENAI, models=("gpt-5.4", "gpt-5.4-mini"))
    several = msgspec.structs.replace(AWS, models=(ClusterModel(name="tiny"), ClusterModel(name="big")))

    def route(default: str) -> str | None:
        return default_target(config(several, two, SHIM, model_routes={"default": default}))

    assert route("shim") == "shim"
    assert route("openai") == "openai/gpt-5.4-mini", "its defaultModel, not its first"
    assert route("aws") == "aws/tiny"
    assert route("aws/big") == "aws/big"
    assert default_target(config(AWS)) is None


def test_a_default_route_to_nobody_is_a_problem() -> None:
    off = msgspec.structs.replace(OPENAI, enabled=False)
    with pytest.raises(ConfigError, match=r"router\.modelRoutes\.default: 'openai' .* known are aws"):
        default_target(config(AWS, off, model_routes={"default": "openai"}))
