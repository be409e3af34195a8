"""The router's own timers run only while it waits for the upstream, and say which of them ran out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from llm_router.config.scalars import Seconds
from llm_router.config.schema import Timeouts
from llm_router.errors import UpstreamSilent
from llm_router.execution.deadlines import Deadlines


class SteppedLoop(asyncio.SelectorEventLoop):
    """A real event loop whose clock jumps to the next timer whenever nothing else is to be done."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        due = [timer.when() for timer in scheduled if not timer.cancelled()]
        if not ready and due:
            self.now = max(self.now, min(due))
        super()._run_once()  # type: ignore[misc]


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> float:
    """Runs ``main`` and returns the seconds that passed on the stepped clock."""
    with asyncio.Runner(loop_factory=SteppedLoop) as runner:
        loop = runner.get_loop()
        started = loop.time()
        runner.run(main())
        return loop.time() - started


def deadlines_of(first_token: float = 30, between_tokens: float = 10, total: float = 600) -> Deadlines:
    return Deadlines(Timeouts(first_token=Seconds(first_token), between_tokens=Seconds(between_tokens)), total)


def test_silence_before_the_first_token() -> None:
    async def main() -> None:
        deadlines = deadlines_of()
        with pytest.raises(UpstreamSilent) as silent:
            with deadlines:
                await asyncio.sleep(100)
        assert silent.value.phase == "first_token"

    assert run(main) == pytest.approx(30)


def test_pings_do_not_move_the_first_token() -> None:
    async def main() -> None:
        deadlines = deadlines_of()

        async def pings() -> None:
            while True:
                with deadlines:
                    await asyncio.sleep(7)

        with pytest.raises(UpstreamSilent) as silent:
            await pings()
        assert silent.value.phase == "first_token"

    assert run(main) == pytest.approx(30)


def test_every_content_token_starts_the_gap_anew() -> None:
    async def main() -> None:
        deadlines = deadlines_of()
        for _ in range(20):
            with deadlines:
                await asyncio.sleep(9)
            deadlines.content()
        with pytest.raises(UpstreamSilent) as silent:
            with deadlines:
                await asyncio.sleep(100)
        assert silent.value.phase == "between_tokens"

    assert run(main) == pytest.approx(190)


def test_the_total_ends_an_endless_answer() -> None:
    async def main() -> None:
        deadlines = deadlines_of(total=60)

        async def tokens() -> None:
            while True:
                with deadlines:
                    await asyncio.sleep(1)
                deadlines.content()

        with pytest.raises(UpstreamSilent) as silent:
            await tokens()
        assert silent.value.phase == "total"

    assert run(main) == pytest.approx(60, abs=1.1)


def test_a_slow_reader_of_the_answer_does_not_make_the_upstream_late() -> None:
    async def main() -> None:
        deadlines = deadlines_of()
        for _ in range(5):
            with deadlines:
                await asyncio.sleep(1)
            deadlines.content()
            await asyncio.sleep(50)

    assert run(main) == pytest.approx(255)


def test_after_the_finish_reason_only_a_grace_is_left() -> None:
    async def main() -> None:
        deadlines = deadlines_of()
        deadlines.content()
        deadlines.finishing()
        with pytest.raises(UpstreamSilent):
            with deadlines:
                await asyncio.sleep(100)

    assert run(main) == pytest.approx(1)


def test_somebody_elses_cancellation_stays_one() -> None:
    async def main() -> None:
        deadlines = deadlines_of()

        async def wait() -> None:
            with deadlines:
                await asyncio.sleep(100)

        task = asyncio.create_task(wait())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        deadlines.stop()

    assert run(main) == pytest.approx(1)


def test_after_a_timeout_the_task_goes_on_uncancelled() -> None:
    async def main() -> None:
        deadlines = deadlines_of(first_token=5)
        with pytest.raises(UpstreamSilent):
            with deadlines:
                await asyncio.sleep(100)
        await asyncio.sleep(3)

    assert run(main) == pytest.approx(8)
