"""Consul's blocking queries, against a stand-in that speaks its HTTP API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from llm_router.config.scalars import Seconds, Secret
from llm_router.config.schema import ConsulDiscovery
from llm_router.discovery.consul import MIN_GAP_S
from llm_router.discovery.methods import Means, discovery_of
from tests.router.discovery.consul_standin import ConsulStandin, Registered, running
from tests.router.discovery.scenes import Sets, config, following, gauges, means, names, until
from tests.router.discovery.scenes import until_up as until_metric


@asynccontextmanager
async def consul(
    standin: ConsulStandin, *, refresh_s: float = 30, **settings: Any
) -> AsyncIterator[tuple[Sets, Means]]:
    async with running(standin) as url:
        with_means = means()
        section = ConsulDiscovery(service="llm", address=url, **settings)
        asked = config("consul", consul=section, refresh_interval=Seconds(refresh_s))
        async with following(discovery_of(asked, with_means)) as sets:
            yield sets, with_means


async def until_up(with_means: Means, up: float) -> None:
    await until_metric(with_means.metrics, "consul", up)


def test_passing_instances_are_clusters_with_what_meta_data_and_tags_say() -> None:
    async def main() -> None:
        standin = ConsulStandin()
        meta = {"llm-router-costPerHour": "0.25", "llm-router-models": "tiny,big:7b", "version": "9"}
        tags = ["llm-router-region=eu-west-1", "llm-router-costPerHour=9", "primary"]
        await standin.set(
            Registered("llm-1", 8443, meta=meta, tags=tags),
            Registered("llm-2", 8444, address="10.9.9.9", meta={"llm-router-name": "west"}),
            Registered("llm-3", 8445, checks=[("serfHealth", "passing"), ("slots", "critical")]),
            Registered("llm-4", 8446, checks=[("slots", "warning")]),
            Registered("web-1", 80, service="web"),
        )
        async with consul(standin) as (sets, _):
            first, second = (await sets.next()).clusters
        assert (first.name, first.endpoint) == ("llm-1.node-1", "http://10.0.0.1:8443")
        assert (first.region, first.cost_per_hour) == ("eu-west-1", 0.25)
        assert [model.name for model in first.models] == ["tiny", "big:7b"]
        assert (second.name, second.endpoint) == ("west", "http://10.9.9.9:8444")
        assert standin.asked[0] == {"passing": "true"}

    asyncio.run(main())


def test_the_next_question_waits_for_a_change_from_the_index_of_the_last() -> None:
    async def main() -> None:
        standin = ConsulStandin()
        await standin.set(Registered("a", 1))
        async with consul(standin, datacenter="dc1") as (sets, _):
            await sets.next()
            await until(lambda: len(standin.asked) > 1)
            assert standin.asked == [
                {"dc": "dc1", "passing": "true"},
                {"dc": "dc1", "passing": "true", "index": "41", "wait": "30s"},
            ]
            await standin.set(Registered("a", 1), Registered("b", 2))
            assert names(await sets.next()) == ["a.node-1", "b.node-1"]

    asyncio.run(main())


def test_an_index_that_goes_backwards_starts_from_the_beginning() -> None:
    async def main() -> None:
        standin = ConsulStandin()
        await standin.set(Registered("a", 1))
        async with consul(standin, refresh_s=0.5) as (sets, _):
            await sets.next()
            await standin.set(Registered("restored", 1), index=3)
            await sets.until(["restored.node-1"])
            await until(lambda: "3" in (query.get("index") for query in standin.asked))
        indexes = [query.get("index") for query in standin.asked]
        assert indexes[indexes.index("41") + 1 :].count(None) >= 1
        assert "3" in indexes

    asyncio.run(main())


def test_an_index_that_moves_with_other_things_does_not_make_a_storm() -> None:
    async def main() -> None:
        standin = ConsulStandin()
        await standin.set(Registered("a", 1))
        async with consul(standin) as (sets, _):
            await sets.next()
            began = asyncio.get_running_loop().time()
            for _ in range(50):
                await standin.set(Registered("a", 1))
                await asyncio.sleep(0.01)
            took_s = asyncio.get_running_loop().time() - began
            assert len(standin.asked) <= took_s / MIN_GAP_S + 3

    asyncio.run(main())


def test_without_a_leader_the_last_set_stays_and_the_metric_says_so() -> None:
    async def main() -> None:
        standin = ConsulStandin()
        await standin.set(Registered("a", 1))
        async with consul(standin, refresh_s=0.3) as (sets, with_means):
            await sets.next()
            standin.leader = False
            await until_up(with_means, 0)
            assert gauges(with_means.metrics, "consul") == (0, 1)
            standin.leader = True
            await until_up(with_means, 1)

    asyncio.run(main())


def test_a_service_without_instances_is_believed_after_a_while() -> None:
    async def main() -> None:
        standin = ConsulStandin()
        await standin.set(Registered("a", 1))
        async with consul(standin, refresh_s=0.4) as (sets, with_means):
            await sets.next()
            await standin.set()
            await until_up(with_means, 0)
            assert gauges(with_means.metrics, "consul")[1] == 1
            assert names(await sets.next()) == []
            await until_up(with_means, 1)

    asyncio.run(main())


def test_in_maintenance_an_instance_drains_where_more_than_passing_ones_are_asked_for() -> None:
    async def main() -> None:
        standin = ConsulStandin()
        await standin.set(
            Registered("busy", 1, checks=[("slots", "warning")]),
            Registered("leaving", 2, checks=[("_service_maintenance:leaving", "critical")]),
            Registered("broken", 3, checks=[("slots", "critical"), ("_node_maintenance", "critical")]),
        )
        async with consul(standin, passing_only=False) as (sets, _):
            found = await sets.next()
        assert names(found) == ["busy.node-1", "leaving.node-1"]
        assert found.draining == {"leaving.node-1"}

    asyncio.run(main())


def test_the_token_is_sent_and_a_refused_or_blind_one_changes_nothing(caplog: Any) -> None:
    async def main(token: str | None, words: str) -> None:
        standin = ConsulStandin(frozenset({"good"}))
        await standin.set(Registered("a", 1))
        async with consul(standin, token=Secret("good")) as (sets, _):
            assert names(await sets.next()) == ["a.node-1"]
        caplog.clear()
        async with consul(standin, token=Secret(token) if token else None) as (_sets, with_means):
            following_on = asyncio.ensure_future(_sets.next())
            await until(lambda: words in caplog.text)
            following_on.cancel()
            await asyncio.gather(following_on, return_exceptions=True)
            assert gauges(with_means.metrics, "consul") == (0, 0)
        assert token is None or token not in caplog.text

    asyncio.run(main("bad-token", "Consul refuses the token"))
    asyncio.run(main(None, "needs service:read and node:read"))
