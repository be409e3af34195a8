"""Who may answer, as the router's own requirements say, and what it costs outside."""

from __future__ import annotations

import pytest

from llm_router.config.schema import Config
from llm_router.routing.engine import policy_of
from llm_router.simulate.options import Options, options_of
from llm_router.simulate.trace import Request, trace_of
from tests.router.simulate.fleets import cluster, config, fleet, provider


def options(of: Config, request: Request) -> Options:
    [found] = options_of(trace_of([request]), fleet(of), policy_of(of, {}))
    return found


def test_everybody_may_and_the_cheapest_for_the_tokens_that_came_counts() -> None:
    reads = provider("reads", price={"inputPer1k": 0.0, "outputPer1k": 10.0})
    writes = provider("writes", price={"inputPer1k": 10.0, "outputPer1k": 0.0})
    of = config(providers=[reads, writes])
    found = options(of, Request(0, 10, 1000))
    assert found.outside is not None
    assert found.outside.name == "writes"
    assert found.outside_usd == pytest.approx(0.1)
    assert [target.owner for target in found.inside] == ["gpu"]
    found = options(of, Request(0, 1000, 10))
    assert found.outside is not None
    assert found.outside.name == "reads"


def test_what_is_longer_than_a_window_goes_elsewhere() -> None:
    assert options(config(), Request(0, 9000, 10)).inside == ()


def test_a_pool_of_simple_tasks_is_not_capable() -> None:
    of = config([cluster("cpu", capabilities=["simple-tasks"]), cluster("gpu")])
    assert [target.owner for target in options(of, Request(0, 10, 10)).inside] == ["cpu", "gpu"]
    assert [target.owner for target in options(of, Request(0, 10, 10, capable=True)).inside] == ["gpu"]


def test_a_model_of_the_trace_is_answered_by_whoever_has_it() -> None:
    found = options(config(), Request(0, 10, 10, "model-gpu"))
    assert found.outside is None
    assert [target.owner for target in found.inside] == ["gpu"]
    assert options(config(), Request(0, 10, 10, "unheard-of")) == Options(outside=None, outside_usd=0.0, inside=())


def test_nobody_is_outside_where_the_configuration_forbids_it() -> None:
    assert options(config(enableExternalFallback=False), Request(0, 10, 10)).outside is None
