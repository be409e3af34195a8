"""Who belongs to a pool: lists, names with several addresses, and the last good answer while nobody answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import pytest

from llm_router.exporter.census import Address, Census, CensusFailed, Listed, Resolved, Together
from tests.router.edge import until

V4, V6 = socket.AF_INET, socket.AF_INET6


class Resolver:
    """In the place of the system's."""

    def __init__(self, *answers: Sequence[tuple[int, str]] | socket.gaierror) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int, **_: object) -> object:
        self.asked.append((host, port))
        answer = self.answers.pop(0)
        if isinstance(answer, socket.gaierror):
            raise answer
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in answer]


def resolved(url: str, *answers: Sequence[tuple[int, str]] | socket.gaierror) -> Sequence[Address]:
    async def scenario() -> Sequence[Address]:
        resolver = Resolver(*answers)
        asyncio.get_running_loop().getaddrinfo = resolver  # type: ignore[method-assign,assignment]
        return await Resolved(Address(url, "key")).addresses()

    return asyncio.run(scenario())


def test_every_address_of_the_name_is_a_server_and_has_the_key() -> None:
    answer = [(V4, "10.0.0.2"), (V4, "10.0.0.1"), (V4, "10.0.0.2")]
    expected = [Address("http://10.0.0.1:8081", "key"), Address("http://10.0.0.2:8081", "key")]
    assert list(resolved("http://llama-headless:8081", answer)) == expected


def test_a_pod_with_an_address_of_each_family_is_one_server() -> None:
    found = resolved("http://llama:8081", [(V6, "fd00::1"), (V4, "10.0.0.1")])
    assert [address.url for address in found] == ["http://10.0.0.1:8081"]
    found = resolved("http://llama/prefix", [(V6, "fd00::1")])
    assert [address.url for address in found] == ["http://[fd00::1]:80/prefix"]


@pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_NODATA])
def test_a_name_without_addresses_is_a_pool_without_servers(code: int) -> None:
    assert resolved("http://llama:8081", socket.gaierror(code, "Name or service not known")) == ()


def test_a_resolver_that_is_down_says_nothing_of_the_pool() -> None:
    with pytest.raises(CensusFailed, match="llama cannot be resolved: try again"):
        resolved("http://llama:8081", socket.gaierror(socket.EAI_AGAIN, "try again"))


def test_localhost_is_really_resolved() -> None:
    found = asyncio.run(Resolved(Address("http://localhost:8081")).addresses())
    assert [address.url for address in found] in (["http://127.0.0.1:8081"], ["http://[::1]:8081"])


# ---------------------------------------------------------------- the census


class Scripted:
    def __init__(self, *says: int | Exception) -> None:
        self.says = list(says)

    async def addresses(self) -> Sequence[Address]:
        return [Address(f"http://llama-{number}") for number in range(await self.count())]

    async def count(self) -> int:
        said = self.says.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


def test_before_the_first_answer_nothing_is_known() -> None:
    census = Census(Scripted(CensusFailed("down"), 2))
    assert (census.addresses, census.nodes) == (None, None)
    asyncio.run(census.take())
    assert census.addresses is None
    asyncio.run(census.take())
    assert census.addresses == (Address("http://llama-0"), Address("http://llama-1"))
    assert census.nodes is None, "nobody counts them"


def test_what_was_known_stays_while_nobody_answers_and_none_is_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    down = CensusFailed("the API server is away")
    census = Census(Scripted(1, down, down, 0), Scripted(3, 0))
    for servers, nodes in ((1, 3), (1, 3), (1, 3), (0, 0)):
        asyncio.run(census.take())
        assert census.addresses is not None
        assert (len(census.addresses), census.nodes) == (servers, nodes)
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "who belongs to the pool stays as it was: the API server is away"
    ]


def test_a_server_that_is_listed_twice_is_one() -> None:
    same = Address("http://llama")
    census = Census(Together([Listed([same]), Listed([same, Address("http://other")])]))
    asyncio.run(census.take())
    assert census.addresses == (same, Address("http://other"))


def test_who_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("llm_router.exporter.census.ANSWER_S", 0.01)

    class Silent(Scripted):
        async def count(self) -> int:
            await asyncio.Event().wait()
            return 0

    asyncio.run(Census(Silent()).take())
    assert "no answer within 0.01 s" in caplog.text


def test_it_is_taken_again_and_again_after_a_bug_too(caplog: pytest.LogCaptureFixture) -> None:
    census = Census(Scripted(1, ZeroDivisionError(), *range(2, 500)))

    async def grown() -> bool:
        return len(census.addresses or ()) >= 4

    async def scenario() -> None:
        async with census.taking(0.001):
            assert len(census.addresses or ()) == 1
            await asyncio.wait_for(until(grown, every_s=0.001), 60)

    asyncio.run(scenario())
    assert "taking the census failed" in caplog.text
