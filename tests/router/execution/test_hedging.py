"""The race of two attempts: who decides it, who is told of a failure, and that nobody runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from llm_router.config.schema import Failover
from llm_router.errors import AttemptFailed, UpstreamBroken
from llm_router.execution.hedging import race
from llm_router.execution.plan import Plan
from llm_router.model import Choice, Target

AT_ONCE, LATE = 0.0, 30.0


class Course:
    """Runners that answer, or fail, when they are told to; what became of them is in ``log``."""

    def __init__(self, runners: int = 2) -> None:
        self.log: list[str] = []
        self.all_asked = asyncio.Event()
        self._runners = runners
        self._ends: dict[str, asyncio.Future[str]] = {}

    async def ask(self, name: str) -> str:
        self.log.append(f"{name} asked")
        self._ends[name] = asyncio.get_running_loop().create_future()
        if len(self._ends) == self._runners:
            self.all_asked.set()
        try:
            return await self._ends[name]
        except asyncio.CancelledError:
            self.log.append(f"{name} cancelled")
            raise

    def answers(self, name: str) -> None:
        self._ends[name].set_result(f"{name}'s answer")

    def fails(self, name: str, failure: Exception | None = None) -> None:
        self._ends[name].set_exception(failure or UpstreamBroken(name))


def goes_on(_name: str, _failure: AttemptFailed) -> bool:
    return True


def run(
    course: Course, *then: Callable[[], None], going_on: Callable[[str, AttemptFailed], bool] = goes_on
) -> tuple[str, object]:
    """Who decides a race of two in which these things happen, one after the other, and how it ended."""

    async def main() -> tuple[str, object]:
        running = asyncio.create_task(race("first", course.ask, AT_ONCE, lambda: "second", going_on))
        await course.all_asked.wait()
        for happens in then:
            happens()
            for _ in range(3):
                await asyncio.sleep(0)
        name, task = await running
        return name, task.exception() or task.result()

    return asyncio.run(main())


@pytest.mark.parametrize(("winner", "loser"), [("first", "second"), ("second", "first")])
def test_the_first_answer_counts_and_the_other_is_cancelled(winner: str, loser: str) -> None:
    course = Course()
    assert run(course, lambda: course.answers(winner)) == (winner, f"{winner}'s answer")
    assert course.log == ["first asked", "second asked", f"{loser} cancelled"]


@pytest.mark.parametrize(("winner", "loser"), [("first", "second"), ("second", "first")])
def test_a_failure_leaves_the_race_to_the_other(winner: str, loser: str) -> None:
    course = Course()
    told: list[tuple[str, str]] = []

    def going_on(name: str, failure: AttemptFailed) -> bool:
        told.append((name, str(failure)))
        return True

    ended = run(course, lambda: course.fails(loser), lambda: course.answers(winner), going_on=going_on)
    assert ended == (winner, f"{winner}'s answer")
    assert told == [(loser, loser)]


def test_the_last_failure_is_the_end() -> None:
    course, failure = Course(), UpstreamBroken("last")
    ended = run(course, lambda: course.fails("first"), lambda: course.fails("second", failure))
    assert ended == ("second", failure)


def test_a_failure_that_no_other_answer_mends_ends_the_race() -> None:
    course, failure = Course(), UpstreamBroken("the caller's own fault")
    ended = run(course, lambda: course.fails("first", failure), going_on=lambda *_: False)
    assert ended == ("first", failure)
    assert course.log[-1] == "second cancelled"


def test_an_answer_at_the_same_moment_as_a_failure_counts() -> None:
    course = Course()

    def both() -> None:
        course.fails("first")
        course.answers("second")

    assert run(course, both) == ("second", "second's answer")


def test_an_error_of_our_own_is_no_failure_of_an_attempt() -> None:
    course, error = Course(), ValueError("a bug")
    assert run(course, lambda: course.fails("second", error)) == ("second", error)


@pytest.mark.parametrize("head_start_s", [AT_ONCE, LATE])
def test_without_a_second_the_first_is_waited_for(head_start_s: float) -> None:
    course = Course(runners=1)

    async def main() -> None:
        running = asyncio.create_task(race("first", course.ask, head_start_s, lambda: None, goes_on))
        await course.all_asked.wait()
        await asyncio.sleep(0)
        course.answers("first")
        name, task = await running
        assert (name, task.result(), course.log) == ("first", "first's answer", ["first asked"])

    asyncio.run(main())


def test_who_is_cancelled_leaves_nobody_running() -> None:
    course = Course()

    async def main() -> None:
        running = asyncio.create_task(race("first", course.ask, AT_ONCE, lambda: "second", goes_on))
        await course.all_asked.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert sorted(course.log[2:]) == ["first cancelled", "second cancelled"]


# ---------------------------------------------------------------- who may be asked beside another


def choice(owner: str, model: str = "m") -> Choice:
    target = Target(name=f"{owner}/{model}", kind="provider", owner=owner, model=model)
    return Choice(target=target, reason="cost_cheapest", usd_per_1k_tokens=None, estimated_usd=None)


def test_beside_runs_the_next_one_of_somebody_else_and_is_not_asked_again() -> None:
    first, same, other, last = choice("a"), choice("a", "n"), choice("b"), choice("c")
    plan = Plan((first, same, other, last), Failover(max_retries=2))
    assert plan.beside(first) is other
    assert plan.beside(first, lambda c: c is not other) is last
    plan.take(other)
    assert plan.after(first, UpstreamBroken()) is same
    assert plan.beside(same) is None, "no follow-up is left"


@pytest.mark.parametrize("failover", [Failover(enabled=False), Failover(max_retries=0)])
def test_without_follow_ups_nobody_runs_beside(failover: Failover) -> None:
    assert Plan((choice("a"), choice("b")), failover).beside(choice("a")) is None


def test_nobody_runs_beside_who_is_not_among_the_choices() -> None:
    assert Plan((choice("a"),), Failover()).beside(choice("a")) is None
