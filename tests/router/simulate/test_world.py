"""Runs of whole traces under policies whose outcome can be worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from llm_router.config.schema import Config
from llm_router.model import Target
from llm_router.simulate.figures import figures_of
from llm_router.simulate.job import Job
from llm_router.simulate.policies import Passive
from llm_router.simulate.trace import Request, Trace, trace_of
from llm_router.simulate.world import World
from tests.router.simulate.fleets import cluster, config, fleet


class Only(Passive):
    """Always these targets, and as many nodes as there may be."""

    def __init__(self, *names: str, nodes: int = 0) -> None:
        self._names, self._nodes = names, nodes

    def begin(self, world: World) -> None:
        for name in world.pools:
            world.want(name, self._nodes)

    def place(self, job: Job, world: World) -> Iterable[Target]:
        by_name = {target.name: target for target in world.fleet.targets}
        return [by_name[name] for name in self._names]


def run(of: Config, trace: Trace, policy: Only, max_waiting: int = 10) -> tuple[World, Sequence[Job]]:
    world = World(fleet(of), trace, policy, max_waiting)
    return world, world.run()


def requests(*at_s: float, input_tokens: int = 100, output_tokens: int = 1) -> Trace:
    return trace_of(Request(at, input_tokens, output_tokens) for at in at_s)


def test_a_provider_answers_as_fast_as_it_says_at_its_list_price() -> None:
    world, jobs = run(config(), requests(0.0, 10.0, output_tokens=51), Only("api"))
    assert [(job.target, job.first_token_s, job.done_s) for job in jobs] == [("api", 0.5, 1.0), ("api", 10.5, 11.0)]
    figures = figures_of(world, jobs, 5.0)
    assert figures.usd_external == pytest.approx(2 * (0.01 + 0.051))
    assert figures.usd == figures.usd_avoidable == figures.usd_external
    assert figures.miss_rate == 0


def test_nobody_waits_longer_than_those_before_him() -> None:
    _, jobs = run(config([cluster(scaling={"minNodes": 1})]), requests(0, 0, 0, 0, 0, 30), Only("gpu"))
    firsts = [job.first_token_s for job in jobs]
    assert firsts == pytest.approx([1, 2, 3, 4, 5, 31])


def test_a_full_gate_lets_the_next_one_answer_or_nobody() -> None:
    of = config([cluster(scaling={"minNodes": 1})])
    _, jobs = run(of, requests(0, 0, 0, 0), Only("gpu", "api"), max_waiting=1)
    assert [job.target for job in jobs] == ["gpu", "gpu", "gpu", "api"]
    world, jobs = run(of, requests(0, 0, 0, 0), Only("gpu"), max_waiting=1)
    figures = figures_of(world, jobs, 5.0)
    assert (figures.refused, figures.miss_rate, figures.share) == (1, 0.25, {"gpu": 0.75})


def test_whoever_waits_for_a_cold_start_is_answered_when_it_is_over() -> None:
    world, jobs = run(config(), requests(0.0, 100.0), Only("gpu", nodes=1))
    assert [job.first_token_s for job in jobs] == pytest.approx([31.0, 101.0])
    figures = figures_of(world, jobs, 5.0)
    assert figures.miss_rate == 0.5
    assert figures.usd_nodes == pytest.approx(0.1), "from the request to start it to the last arrival"


def test_a_released_node_goes_when_it_has_idled_for_the_timeout() -> None:
    class Released(Only):
        def finished(self, job: Job, world: World) -> None:
            world.want("gpu", 0)

    world, jobs = run(config(), requests(0.0, 1000.0), Released("gpu", nodes=1))
    assert jobs[0].done_s == pytest.approx(31.0)
    assert world.pools["gpu"].node_seconds(1000.0) == pytest.approx(31.0 + 60.0)
    assert jobs[1].target == "gpu"
    assert jobs[1].first_token_s is None, "its pool never came back"


def test_nodes_that_idle_are_told_of() -> None:
    told = []

    class Listening(Only):
        def idles(self, pool: object, world: World) -> None:
            told.append(world.now)
            world.want("gpu", 0)

    world, _ = run(config(), requests(0.0, 1000.0), Listening("gpu", nodes=1))
    assert told == [pytest.approx(31.0 + 60.0)]
    assert world.pools["gpu"].state != "up"
