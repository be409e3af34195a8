"""etcd's JSON gateway, against a real etcd."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from llm_router.config.scalars import Seconds, Secret
from llm_router.config.schema import EtcdDiscovery
from llm_router.discovery.etcd import Keys, end_of
from llm_router.discovery.etcd_gateway import Gateway
from llm_router.discovery.methods import Means, discovery_of
from llm_router.discovery.mirror import Follower, PlaceLost
from tests.router.discovery.etcd_server import EtcdServer, running_etcd
from tests.router.discovery.scenes import Sets, config, following, gauges, means, names, until
from tests.router.discovery.scenes import until_up as until_metric
from tests.router.ports import free_port

PREFIX = "/llm-router/clusters/"


def entry(port: int = 8443, **more: Any) -> str:
    return json.dumps({"endpoint": f"http://10.0.0.1:{port}", **more})


@asynccontextmanager
async def discovering(*urls: str, refresh_s: float = 30, **settings: Any) -> AsyncIterator[tuple[Sets, Means]]:
    with_means = means()
    section = EtcdDiscovery(endpoints=urls, **settings)
    asked = config("etcd", etcd=section, refresh_interval=Seconds(refresh_s))
    async with following(discovery_of(asked, with_means)) as sets:
        yield sets, with_means


async def until_up(with_means: Means, up: float) -> None:
    await until_metric(with_means.metrics, "etcd", up)


def test_keys_below_the_prefix_are_clusters(etcd: EtcdServer) -> None:
    async def main() -> None:
        etcd.put(f"{PREFIX}west", entry(1, region="us-west-2", costPerHour=0.1, models=["tiny"], weight=5))
        etcd.put(f"{PREFIX}eu/a", entry(2, name="eu", compliance=["gdpr"]))
        etcd.put("/llm-router/clusterz", entry(3))
        async with discovering(etcd.url) as (sets, _):
            eu, west = (await sets.next()).clusters
        assert (eu.name, eu.endpoint, eu.compliance) == ("eu", "http://10.0.0.1:2", ("gdpr",))
        assert (west.name, west.region, west.cost_per_hour, west.weight) == ("west", "us-west-2", 0.1, 5)

    asyncio.run(main())


def test_changes_come_at_once_by_the_watch(etcd: EtcdServer) -> None:
    async def main() -> None:
        etcd.put(f"{PREFIX}a", entry(1))
        async with discovering(etcd.url) as (sets, _):
            await sets.until(["a"])
            etcd.put(f"{PREFIX}b", entry(2))
            await sets.until(["a", "b"])
            etcd.put(f"{PREFIX}a", entry(3))
            assert (await sets.next()).clusters[0].endpoint == "http://10.0.0.1:3"
            etcd.delete(f"{PREFIX}a")
            await sets.until(["b"])

    asyncio.run(main())


def test_all_pages_of_a_listing_are_one_moment(etcd: EtcdServer) -> None:
    async def main() -> None:
        for i in range(7):
            etcd.put(f"{PREFIX}c{i}", entry(i + 1))
        gateway = Gateway(EtcdDiscovery(endpoints=(etcd.url,)), ssl.create_default_context())
        keys = Keys(gateway, PREFIX, page=3)
        await keys.list()
        assert sorted(str(i.data["name"]) for i in keys.instances()) == [f"c{i}" for i in range(7)]
        await gateway.aclose()

    asyncio.run(main())


def test_an_entry_that_is_no_object_is_passed_over(etcd: EtcdServer, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        etcd.put(f"{PREFIX}good", entry())
        etcd.put(f"{PREFIX}list", "[]")
        etcd.put(f"{PREFIX}bytes", "\ud7ff\x00{")
        etcd.put(f"{PREFIX}thief", entry(2, sharedSecret="mine"))
        async with discovering(etcd.url) as (sets, _):
            assert names(await sets.next()) == ["good"]

    asyncio.run(main())
    assert caplog.text.count("the value is no JSON object") == 2
    assert "sharedSecret: a registry must not say that" in caplog.text
    assert "mine" not in caplog.text


def test_a_watch_that_ends_goes_on_where_it_was_even_over_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        async with discovering(url, refresh_s=30) as (sets, with_means):
            with running_etcd(tmp_path / "etcd", port) as server:
                server.put(f"{PREFIX}a", entry(1))
                await sets.until(["a"])
                await until_up(with_means, 1)
            await until_up(with_means, 0)
            assert gauges(with_means.metrics, "etcd") == (0, 1)
            with running_etcd(tmp_path / "etcd", port) as server:
                server.put(f"{PREFIX}b", entry(2))
                await sets.until(["a", "b"])
                await until_up(with_means, 1)

    asyncio.run(main())


def test_a_compaction_that_overtakes_the_watch_makes_it_list_again(etcd: EtcdServer) -> None:
    async def main() -> None:
        etcd.put(f"{PREFIX}a", entry(1))
        gateway = Gateway(EtcdDiscovery(endpoints=(etcd.url,)), ssl.create_default_context())
        keys = Keys(gateway, PREFIX)
        await keys.list()
        etcd.delete(f"{PREFIX}a")
        etcd.compact(etcd.put(f"{PREFIX}b", entry(2)))
        with pytest.raises(PlaceLost):
            async for _ in keys.watch(5):
                pass
        follower = Follower(keys, 5, asyncio.sleep)
        answers = follower.answers()
        assert [i.data["name"] for i in (await anext(answers)).instances] == ["b"]
        await answers.aclose()
        await gateway.aclose()

    asyncio.run(main())


def test_a_quiet_watch_is_renewed_from_its_revision(etcd: EtcdServer) -> None:
    async def main() -> None:
        etcd.put(f"{PREFIX}a", entry(1))
        async with discovering(etcd.url, refresh_s=0.3) as (sets, with_means):
            await sets.until(["a"])
            await asyncio.sleep(1)
            assert gauges(with_means.metrics, "etcd") == (1, 1)
            etcd.put(f"{PREFIX}b", entry(2))
            await sets.until(["a", "b"])

    asyncio.run(main())


def test_a_prefix_without_keys_is_believed_after_a_while(etcd: EtcdServer) -> None:
    async def main() -> None:
        etcd.put(f"{PREFIX}a", entry(1))
        async with discovering(etcd.url, refresh_s=0.3) as (sets, with_means):
            await sets.until(["a"])
            etcd.delete(f"{PREFIX}a")
            await until_up(with_means, 0)
            assert gauges(with_means.metrics, "etcd")[1] == 1
            assert names(await sets.next()) == []

    asyncio.run(main())


def test_where_a_member_is_down_the_next_one_is_asked(etcd: EtcdServer) -> None:
    async def main() -> None:
        etcd.put(f"{PREFIX}a", entry(1))
        nobody = f"http://127.0.0.1:{free_port()}"
        async with discovering(nobody, etcd.url) as (sets, with_means):
            await sets.until(["a"])
            await until_up(with_means, 1)

    asyncio.run(main())


def test_with_authentication_a_lost_token_is_replaced_and_a_wrong_password_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        password = Secret("correct horse battery")
        port = free_port()
        with running_etcd(tmp_path / "etcd", port) as server:
            server.require_password(password)
            server.put(f"{PREFIX}a", entry(1), server.token(password))
            url = server.url
            async with discovering(url, user="root", password=password, refresh_s=0.5) as (sets, with_means):
                await sets.until(["a"])
                await until_up(with_means, 1)
                # etcd keeps simple tokens in memory only: after a restart ours is unknown.
                server.process.end()
                with running_etcd(tmp_path / "etcd", port) as again:
                    again.put(f"{PREFIX}b", entry(2), again.token(password))
                    await sets.until(["a", "b"])
                    caplog.clear()
                    wrong = Secret("wrong horse battery")
                    async with discovering(url, user="root", password=wrong) as (denied, with_wrong):
                        waiting = asyncio.ensure_future(denied.next())
                        await until(lambda: "authentication failed" in caplog.text)
                        waiting.cancel()
                        await asyncio.gather(waiting, return_exceptions=True)
                        assert gauges(with_wrong.metrics, "etcd") == (0, 0)
                    assert wrong not in caplog.text

    asyncio.run(main())


def test_the_end_of_a_prefix_is_the_first_key_behind_it() -> None:
    assert end_of(b"/a/") == b"/a0"
    assert end_of(b"a\xff\xff") == b"b"
    assert end_of(b"\xff") == b"\0"
