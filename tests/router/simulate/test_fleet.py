"""From the configuration to the figures of the model, and what it must say for that."""

from __future__ import annotations

from typing import Any

import pytest

from llm_router.config.load import parse
from llm_router.config.schema import Config
from llm_router.errors import ConfigError
from llm_router.simulate.fleet import fleet_of
from tests.router.simulate.fleets import PRICES, SPEED, cluster, config, fleet, provider


def test_the_figures_of_a_pool_and_of_a_provider() -> None:
    built = fleet(config())
    pool, external = built.pools["gpu"], built.externals["api"]
    assert (pool.usd_per_second, pool.min_nodes, pool.max_nodes) == pytest.approx((0.001, 0, 1))
    assert (pool.cold_start_s, pool.idle_timeout_s) == (30.0, 60.0)
    assert (external.first_token_s, external.tokens_per_second) == (0.5, 100)


def test_a_step_goes_through_both_stated_speeds() -> None:
    speed = fleet(config()).pools["gpu"].speed
    assert (speed.step_s, speed.step_s_per_sequence) == pytest.approx((0.1, 0.05))
    assert speed.step_of(1) == pytest.approx(0.15)
    assert speed.step_of(2) == pytest.approx(1 / 5)


def test_without_a_single_speed_a_request_alone_is_no_faster() -> None:
    capacity = {"slots": 2, "prefillTokensPerSecond": 100, "decodeTokensPerSecond": 5}
    speed = fleet(config([cluster(capacity=capacity)])).pools["gpu"].speed
    assert speed.step_of(1) == speed.step_of(2) == pytest.approx(0.2)


def test_work_is_reading_and_a_share_of_full_steps() -> None:
    assert SPEED.work_s(100, 11) == pytest.approx(1.0 + 10 * 0.2 / 2)


def capacity(**changes: float) -> dict[str, Any]:
    usual = {"slots": 2, "prefillTokensPerSecond": 100, "decodeTokensPerSecond": 5}
    return {"capacity": {key: value for key, value in (usual | changes).items() if value}}


@pytest.mark.parametrize(
    ("built", "path"),
    [
        (config([cluster(**capacity(slots=0))]), "clusters[0].capacity.slots"),
        (config([cluster(**capacity(prefillTokensPerSecond=0))]), "clusters[0].capacity.prefillTokensPerSecond"),
        (config([cluster("a"), cluster("b", **capacity(decodeTokensPerSecond=0))]), "clusters[1].capacity.decodeTok"),
        (config([cluster(costPerHour=None, scaling={"minNodes": 1})]), "clusters[0].costPerHour"),
        (config([cluster(**capacity(decodeTokensPerSecondSingle=4))]), "decodeTokensPerSecondSingle: 4 is below"),
        (config([cluster(**capacity(decodeTokensPerSecondSingle=11))]), "11 is more than all 2 slots together"),
        (config(providers=[provider(latency=None)]), "externalProviders[0].latency.timeToFirstToken"),
        (
            config(providers=[provider(latency={"timeToFirstToken": "1s"})]),
            "externalProviders[0].latency.tokensPerSecond",
        ),
        (config(providers=[provider(price=None)]), "externalProviders[api].price"),
        (
            parse("discovery: {method: kubernetes, template: {authType: bearer, apiKey: placeholder}}").config,
            "neither a cluster nor an enabled provider",
        ),
    ],
)
def test_what_is_missing_is_named(built: Config, path: str) -> None:
    with pytest.raises(ConfigError) as refused:
        fleet_of(built, PRICES, "f.yaml")
    assert path in str(refused.value)
    assert str(refused.value).startswith("f.yaml")


def test_nothing_is_asked_of_a_disabled_provider() -> None:
    assert fleet(config(providers=[provider(latency=None, enabled=False)])).externals == {}
