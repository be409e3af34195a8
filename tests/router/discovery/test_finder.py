"""Whatever the registry does, the clusters that it once named stay until it names others."""

from __future__ import annotations

import asyncio
import logging

import pytest
from prometheus_client import CollectorRegistry

from llm_router.config.schema import Cluster
from llm_router.discovery.base import SourceDown
from llm_router.discovery.finder import BELIEVED_AFTER_S, FIRST_BACKOFF_S, MAX_BACKOFF_S, Finder
from llm_router.telemetry.metrics import Metrics
from tests.router.discovery.scenes import (
    SECRET,
    Clock,
    Scripted,
    changed,
    config,
    following,
    gauges,
    instance,
    listed,
    names,
)

A, B = instance("a"), instance("b")
FIXED = Cluster(name="fixed", endpoint="https://fixed.example.com", shared_secret=SECRET)


def finder(source: Scripted, clock: Clock, **more: object) -> tuple[Finder, Metrics]:
    metrics = Metrics(CollectorRegistry())
    made = Finder(
        source,
        config(clusters=(FIXED,)),
        metrics=metrics,
        clock=clock,
        sleep=clock.sleep,
        chance=lambda: 1.0,
        **more,  # type: ignore[arg-type]
    )
    return made, metrics


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_sets_come_as_the_registry_changes_and_not_when_it_repeats_itself() -> None:
    async def main() -> None:
        source = Scripted(listed(A))
        made, metrics = finder(source, Clock())
        assert names(made.current) == ["fixed"]
        async with following(made) as sets:
            assert names(await sets.next()) == ["fixed", "a"]
            assert gauges(metrics, "etcd") == (1, 1)
            source.add(changed(A), listed(A), changed(A, B))
            assert names(await sets.next()) == ["fixed", "a", "b"]
            assert made.instances == (A, B)
            assert gauges(metrics, "etcd") == (1, 2)
        assert source.closed

    asyncio.run(main())


def test_a_registry_that_goes_down_changes_nothing_but_the_metric(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        source, clock = Scripted(listed(A)), Clock()
        made, metrics = finder(source, clock)
        async with following(made) as sets:
            await sets.next()
            clock.slept.clear()
            source.add(*[SourceDown("no route")] * 3)
            await settled()
            assert names(made.current) == ["fixed", "a"]
            assert gauges(metrics, "etcd") == (0, 1)
            assert clock.slept == [FIRST_BACKOFF_S, 1.0, 2.0]
            source.add(listed(A))
            await settled()
            assert gauges(metrics, "etcd") == (1, 1)
            assert source.starts == 4

    with caplog.at_level(logging.INFO, "llm_router.discovery"):
        asyncio.run(main())
    said = [record.getMessage() for record in caplog.records]
    assert said == ["discovery by etcd is down, 1 clusters stay: no route", "discovery by etcd is back"]


def test_backing_off_doubles_up_to_a_limit_and_obeys_the_registry() -> None:
    async def main() -> None:
        source, clock = Scripted(*[SourceDown("no")] * 9, SourceDown("later", retry_after_s=30)), Clock()
        made, _ = finder(source, clock)
        async with following(made) as sets:
            pending = asyncio.ensure_future(sets.next())
            for _ in range(5):
                await settled()
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
        assert clock.slept == [0.5, 1, 2, 4, 8, 16, MAX_BACKOFF_S, MAX_BACKOFF_S, MAX_BACKOFF_S, MAX_BACKOFF_S]

    asyncio.run(main())


def test_an_empty_answer_shows_in_the_metric_until_it_is_confirmed() -> None:
    async def main() -> None:
        source, clock = Scripted(listed(A)), Clock()
        made, metrics = finder(source, clock)
        async with following(made) as sets:
            await sets.next()
            source.add(changed())
            await settled()
            assert names(made.current) == ["fixed", "a"]
            assert gauges(metrics, "etcd") == (0, 1)
            source.add(listed())
            await settled()
            clock.now += BELIEVED_AFTER_S - 1
            source.add(listed())
            await settled()
            assert gauges(metrics, "etcd") == (0, 1)
            clock.now += 1
            source.add(listed())
            assert names(await sets.next()) == ["fixed"]
            assert gauges(metrics, "etcd") == (1, 0)

    asyncio.run(main())


def test_many_changes_in_a_moment_are_one_set() -> None:
    async def main() -> None:
        source, gate = Scripted(listed(A)), asyncio.Event()

        async def settle(_seconds: float) -> None:
            await gate.wait()

        metrics = Metrics(CollectorRegistry())
        made = Finder(source, config(), metrics=metrics, clock=Clock(), sleep=settle)
        async with following(made) as sets:
            await sets.next()
            coming = asyncio.ensure_future(sets.next())
            source.add(*(changed(A, instance(f"b{i}")) for i in range(50)))
            await settled()
            assert not coming.done()
            await asyncio.sleep(0.01)
            gate.set()
            assert names(await coming) == ["a", "b49"]

    asyncio.run(main())


def test_a_bug_in_a_source_is_logged_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        source, clock = Scripted(listed(A), KeyError("oops"), listed(A, B)), Clock()
        made, metrics = finder(source, clock)
        async with following(made) as sets:
            await sets.until(["fixed", "a", "b"])
            assert gauges(metrics, "etcd") == (1, 2)

    asyncio.run(main())
    assert "discovery by etcd failed" in caplog.text
    assert "KeyError" in caplog.text


def test_what_cannot_be_used_is_told_once_and_by_name(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        bad = instance("bad", weight=-1)
        source = Scripted(listed(A, bad))
        made, _ = finder(source, Clock())
        async with following(made) as sets:
            assert names(await sets.next()) == ["fixed", "a"]
            source.add(listed(A, B, bad))
            await sets.next()

    asyncio.run(main())
    said = [record.getMessage() for record in caplog.records]
    assert said == ["discovery by etcd passes over test bad: weight: must be at least 0, not -1"]


def test_a_successor_starts_with_what_its_predecessor_knew() -> None:
    source = Scripted()
    made, _ = finder(source, Clock(), known=(A,))
    assert names(made.current) == ["fixed", "a"]


def test_ending_it_leaves_no_task_behind() -> None:
    async def main() -> None:
        source = Scripted(listed(A))
        made, _ = finder(source, Clock())
        async with following(made) as sets:
            await sets.next()
            waiting = asyncio.ensure_future(sets.next())
            await settled()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
