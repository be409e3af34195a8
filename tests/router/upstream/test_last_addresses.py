"""A name that was resolved leads there for another minute in which the resolver fails."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from llm_router.errors import ConnectFailed
from llm_router.upstream.egress import Forbidden
from llm_router.upstream.http1 import Http1Client
from llm_router.upstream.last_addresses import KEPT_S, PATIENCE_S, LastAddresses
from tests.router.gate.surroundings import Clock
from tests.router.upstream.raw import OK, Resolving, answering, fetch, serving

NAME = "gate.example.com"
METADATA = "169.254.169.254"


def resolving(main: Callable[[Resolving, Clock, LastAddresses], Awaitable[None]]) -> None:
    loop, clock = Resolving("127.0.0.1"), Clock(0.0)

    async def run() -> None:
        await main(loop, clock, LastAddresses(clock))

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run())


def test_it_is_kept_for_a_minute_after_the_last_answer_and_no_longer() -> None:
    async def main(loop: Resolving, clock: Clock, last: LastAddresses) -> None:
        assert await last.permitted(NAME, 443, private=True) == ["127.0.0.1"]
        loop.addresses = ()
        for clock.now in (0.0, KEPT_S):
            assert await last.permitted(NAME, 443, private=True) == ["127.0.0.1"]
        clock.now = KEPT_S + 0.1
        with pytest.raises(socket.gaierror):
            await last.permitted(NAME, 443, private=True)
        assert loop.asked == [NAME] * 4  # each time: who is back is heard at once

    resolving(main)


def test_a_new_answer_goes_before_the_kept_one() -> None:
    async def main(loop: Resolving, _clock: Clock, last: LastAddresses) -> None:
        await last.permitted(NAME, 443, private=True)
        for addresses, expected in ((("127.0.0.2",), "127.0.0.2"), ((), "127.0.0.2")):
            loop.addresses = addresses
            assert await last.permitted(NAME, 443, private=True) == [expected]

    resolving(main)


def test_what_one_may_not_be_sent_to_is_not_kept_and_ends_what_was() -> None:
    async def main(loop: Resolving, _clock: Clock, last: LastAddresses) -> None:
        await last.permitted(NAME, 443, private=True)
        loop.addresses = (METADATA,)
        with pytest.raises(Forbidden):
            await last.permitted(NAME, 443, private=True)
        loop.addresses = ()
        with pytest.raises(socket.gaierror):
            await last.permitted(NAME, 443, private=True)

    resolving(main)


def test_what_was_found_for_one_who_may_go_there_serves_nobody_who_may_not() -> None:
    async def main(loop: Resolving, _clock: Clock, last: LastAddresses) -> None:
        await last.permitted(NAME, 443, private=True)
        loop.addresses = ()
        with pytest.raises(socket.gaierror):
            await last.permitted(NAME, 443, private=False)

    resolving(main)


def test_however_many_ask_one_lookup_is_under_way_and_serves_them_all() -> None:
    async def main(loop: Resolving, _clock: Clock, last: LastAddresses) -> None:
        loop.answering.clear()
        gone = [asyncio.create_task(last.permitted(NAME, 443, private=True)) for _ in range(8)]
        await loop.was_asked.wait()
        for one in gone:
            one.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        waiting = [asyncio.create_task(last.permitted(NAME, 443, private=True)) for _ in range(8)]
        await asyncio.sleep(0)
        loop.answering.set()
        assert await asyncio.gather(*waiting) == [["127.0.0.1"]] * 8
        assert loop.asked == [NAME]

    resolving(main)


def test_a_lookup_that_fails_after_all_have_left_is_heard_by_nobody() -> None:
    async def main(loop: Resolving, _clock: Clock, last: LastAddresses) -> None:
        loop.addresses = ()
        loop.answering.clear()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await last.permitted(NAME, 443, private=True)
        loop.answering.set()
        with pytest.raises(socket.gaierror):
            await last.permitted(NAME, 443, private=True)

    resolving(main)


def test_a_resolver_that_does_not_answer_is_not_waited_for_where_the_name_is_known() -> None:
    async def main(loop: Resolving, clock: Clock, last: LastAddresses) -> None:
        await last.permitted(NAME, 443, private=True)
        loop.answering.clear()
        loop.addresses = ("127.0.0.2",)
        assert await last.permitted(NAME, 443, private=True) == ["127.0.0.1"]
        clock.now = KEPT_S + 0.1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2 * PATIENCE_S):
                await last.permitted(NAME, 443, private=True)
        loop.answering.set()  # late, but of use to who comes next
        assert await last.permitted(NAME, 443, private=True) == ["127.0.0.2"]

    resolving(main)


def test_a_client_connects_anew_while_the_resolver_fails() -> None:
    async def main(loop: Resolving, clock: Clock, _last: LastAddresses) -> None:
        async with serving(answering(OK)) as (upstream, url), Http1Client(connect_timeout_s=20.0, now=clock) as client:
            assert await fetch(client, url.with_host(NAME), private=True) == b"ok"
            async with asyncio.timeout(20):
                await upstream.closed.wait()
            loop.addresses = ()
            assert await fetch(client, url.with_host(NAME), private=True) == b"ok"
            assert upstream.connections == 2
            with pytest.raises(ConnectFailed):
                await fetch(client, url.with_host("unheard.example.com"), private=True)

    resolving(main)
