"""All workers reload or none, whatever one of them says or does not say."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any, cast

import pytest

from llm_router.config.load import parse
from llm_router.errors import ConfigError, Problem
from llm_router.workers.channel import Unanswered
from llm_router.workers.crew import Crew, WorkersFailed
from llm_router.workers.hand import Hand
from llm_router.workers.messages import Prepare, Prepared
from llm_router.workers.restarts import ENOUGH, Restarts

OLD = b"externalProviders: [{name: openai, type: openai, apiKey: '${KEY}', models: [gpt-5.4-mini]}]\n"
NEW = OLD + b"router: {maxQueueDepth: 3}\n"
ENV = {"KEY": "sk-test-0123456789abcdefghij"}
GOOD = Prepared(fingerprint="same")


class Scripted:
    """A worker that answers ``Prepare`` as told, as a hand with its channel."""

    def __init__(self, number: int, prepared: Prepared | None) -> None:
        self.number, self.serving, self.killed = number, True, False
        self.heard: list[str] = []
        self.channel = self
        self._prepared = prepared

    async def ask(self, question: Any, _kind: object, *, timeout_s: float) -> Any:
        assert timeout_s > 0
        self.heard.append(type(question).__name__)
        if not isinstance(question, Prepare):
            return None
        assert question.text == NEW
        if self._prepared is None:
            raise Unanswered("no answer")
        return self._prepared

    def kill(self) -> None:
        self.killed, self.serving = True, False


def crew_of(file: Path, *hands: Scripted) -> Crew:
    file.write_bytes(OLD)
    crew = Crew(str(file), OLD, parse(OLD, str(file), ENV), ENV, socket.socket())
    crew._listener.close()
    crew._hands = {cast(Hand, hand) for hand in hands}
    file.write_bytes(NEW)
    return crew


def test_all_take_over_what_all_have_prepared(tmp_path: Path) -> None:
    hands = Scripted(1, GOOD), Scripted(2, GOOD)
    crew = crew_of(tmp_path / "router.yaml", *hands)
    asyncio.run(crew.reload())
    assert [hand.heard for hand in hands] == [["Prepare", "TakeOver"]] * 2
    assert crew.loaded.config.router.max_queue_depth == 3


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (Prepared(problems=(Problem("keys[0]", "is none"),)), "is none"),
        (Prepared(fingerprint="another"), "changed while they were read"),
    ],
)
def test_where_one_refuses_nobody_takes_over(tmp_path: Path, other: Prepared, said: str) -> None:
    hands = Scripted(1, GOOD), Scripted(2, other)
    crew = crew_of(tmp_path / "router.yaml", *hands)
    with pytest.raises(ConfigError, match=said):
        asyncio.run(crew.reload())
    assert [hand.heard for hand in hands] == [["Prepare", "Drop"]] * 2
    assert crew.loaded.config.router.max_queue_depth != 3
    assert not any(hand.killed for hand in hands)


def test_one_that_does_not_answer_is_replaced_and_holds_up_nobody(tmp_path: Path) -> None:
    hands = Scripted(1, None), Scripted(2, GOOD)
    crew = crew_of(tmp_path / "router.yaml", *hands)
    asyncio.run(crew.reload())
    assert hands[0].killed
    assert hands[1].heard == ["Prepare", "TakeOver"]


def test_it_gives_up_where_nobody_serves_and_nobody_comes_up(tmp_path: Path) -> None:
    other, restarts = Scripted(2, GOOD), Restarts()
    crew = crew_of(tmp_path / "router.yaml", other)
    for _ in range(ENOUGH):
        restarts.ended(1.0, served=False)
    crew._judge(1, "it was killed", restarts, refused=False, first=False)  # the other one serves: no reason to end
    other.kill()
    with pytest.raises(WorkersFailed, match="worker 1 ended 5 times in a row: it was killed") as failure:
        crew._judge(1, "it was killed", restarts, refused=False, first=False)
    assert failure.value.exit_code == 1
    with pytest.raises(WorkersFailed) as failure:
        crew._judge(1, "it came to exit code 78", Restarts(), refused=True, first=True)
    assert failure.value.exit_code == 78


def test_a_reload_that_nobody_could_judge_is_refused(tmp_path: Path) -> None:
    crew = crew_of(tmp_path / "router.yaml")
    with pytest.raises(ConfigError, match="no worker serves just now"):
        asyncio.run(crew.reload())
    assert crew.loaded.config.router.max_queue_depth != 3
