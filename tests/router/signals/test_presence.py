"""Zero, starting and down look the same from outside: the router's own wish and its patience tell them apart."""

from __future__ import annotations

from typing import Any

import pytest

from llm_router.config.scalars import Seconds
from llm_router.config.schema import Cluster, Scaling
from llm_router.model import ClusterStatus, State
from llm_router.pricing.rent import AccountView
from llm_router.signals.health import HealthReport
from llm_router.signals.presence import GRACE_S, Presence

HEALTHY = HealthReport(status="healthy")
NOBODY = HealthReport(status="unhealthy", absent=True)
COLD_START_S = 60


def presence(min_nodes: int = 0) -> Presence:
    scaling = Scaling(min_nodes=min_nodes, cold_start=Seconds(COLD_START_S))
    return Presence(Cluster(name="c", endpoint="http://127.0.0.1:1", scaling=scaling))


def status(state: State) -> ClusterStatus:
    return ClusterStatus(target="c", state=state)


def wish(wanted: int, since: float = 0.0) -> AccountView:
    figures: dict[str, Any] = dict.fromkeys(AccountView.__struct_fields__, 0.0)
    return AccountView(**figures | {"pool": "c", "wanted": wanted, "nodes": 0, "why": "saving", "since": since})


def test_whoever_answers_is_what_he_says() -> None:
    assert presence().state(HEALTHY, None, wish(0), 5.0) == "up"
    for state in ("up", "starting", "draining"):
        assert presence().state(HEALTHY, status(state), wish(1), 5.0) == state


@pytest.mark.parametrize("told", [None, "up", "zero", "down"])
def test_where_nobody_is_and_nobody_is_wanted_it_is_at_zero(told: State | None) -> None:
    assert presence().state(NOBODY, told and status(told), wish(0), 5.0) == "zero"


def test_one_that_is_wanted_starts_for_as_long_as_a_start_takes_and_then_is_down() -> None:
    starting = presence()
    ends_at = 100.0 + COLD_START_S + GRACE_S
    assert starting.state(NOBODY, None, wish(1, since=100.0), ends_at) == "starting"
    assert starting.state(NOBODY, None, wish(1, since=100.0), ends_at + 1) == "down"


def test_one_that_is_lost_while_it_is_wanted_has_as_long_to_return() -> None:
    lost = presence()
    assert lost.state(HEALTHY, None, wish(1), 1000.0) == "up"
    assert lost.state(NOBODY, None, wish(1), 1010.0) == "starting"
    assert lost.state(NOBODY, None, wish(1), 1001.0 + COLD_START_S + GRACE_S) == "down"


@pytest.mark.parametrize("told", ["zero", "down"])
def test_an_exporter_that_answers_for_a_pool_without_servers_is_understood_alike(told: State) -> None:
    assert presence().state(HEALTHY, status(told), wish(0), 5.0) == "zero"
    assert presence().state(HEALTHY, status(told), wish(1), 5.0) == "starting"


def test_somebody_who_is_there_and_in_trouble_is_not_at_zero() -> None:
    refusing = HealthReport(status="unhealthy", error="the gate refuses the signature")
    assert presence().state(refusing, None, wish(0), 5.0) == "up"


def test_a_pool_that_always_runs_is_never_at_zero() -> None:
    always = presence(min_nodes=1)
    assert always.state(NOBODY, None, wish(1), 5.0) == "up"
    assert always.state(HEALTHY, status("down"), wish(1), 5.0) == "down"
    assert always.state(NOBODY, None, None, 5.0) == "up"
