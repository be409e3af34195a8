"""List, then watch: when the place is kept, and when it must be found anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from llm_router.discovery.base import Answer, Instance, SourceDown
from llm_router.discovery.mirror import Follower, PlaceLost
from tests.router.discovery.scenes import Clock, changed, instance, listed

A, B = instance("a"), instance("b")
Step = tuple[Instance, ...] | Exception | None
"""A change's outcome, an exception, or the end of this watch."""


class Mirrored:
    def __init__(self, lists: list[tuple[Instance, ...]], *steps: Step) -> None:
        self.lists, self.steps = lists, list(steps)
        self.log: list[str] = []
        self._now: tuple[Instance, ...] = ()

    async def list(self) -> None:
        self.log.append("list")
        self._now = self.lists.pop(0)

    async def watch(self, for_s: float) -> AsyncGenerator[None, None]:
        self.log.append(f"watch {for_s:g}")
        yield
        while True:
            step = self.steps.pop(0)
            if step is None:
                return
            if isinstance(step, Exception):
                raise step
            self._now = step
            yield

    def instances(self) -> tuple[Instance, ...]:
        return self._now


async def some(follower: Follower, count: int) -> list[Answer]:
    async with aclosing(follower.answers()) as answers:
        return [await anext(answers) for _ in range(count)]


def test_it_lists_once_then_watches_again_and_again() -> None:
    mirror = Mirrored([(A,)], (A, B), None, (B,))
    answers = asyncio.run(some(Follower(mirror, 30, Clock().sleep), 5))
    assert answers == [listed(A), changed(A), changed(A, B), changed(A, B), changed(B)]
    assert mirror.log == ["list", "watch 30", "watch 30"]


def test_a_broken_connection_is_taken_up_without_listing() -> None:
    async def main() -> None:
        mirror = Mirrored([(A,)], SourceDown("cut"), (B,))
        follower = Follower(mirror, 30, Clock().sleep)
        with pytest.raises(SourceDown):
            await some(follower, 3)
        assert await some(follower, 2) == [changed(A), changed(B)]
        assert mirror.log == ["list", "watch 30", "watch 30"]

    asyncio.run(main())


def test_a_lost_place_is_found_by_listing_and_not_by_everybody_at_once() -> None:
    clock = Clock()
    mirror = Mirrored([(A,), (B,)], PlaceLost())
    answers = asyncio.run(some(Follower(mirror, 30, clock.sleep, chance=lambda: 0.25), 3))
    assert answers == [listed(A), changed(A), listed(B)]
    assert clock.slept == [0.25]


def test_while_nothing_is_there_each_round_lists() -> None:
    mirror = Mirrored([(A,), (), ()], (), None, None)
    answers = asyncio.run(some(Follower(mirror, 30, Clock().sleep), 6))
    assert answers == [listed(A), changed(A), changed(), listed(), changed(), listed()]
