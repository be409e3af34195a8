"""Reloads in any order with requests, streams and failures between them: each request sees one configuration, the last
good one when it came."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import count
from typing import NamedTuple

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from llm_router.demo.standins.delivery import Pace
from tests.router.routers import MODELS, Running, providers, running_router
from tests.router.standins import Standins, running_standins

NAMES = tuple(MODELS)
SUBSETS = [names for number in range(1, 8) if (names := tuple(n for i, n in enumerate(NAMES) if number >> i & 1))]


FEW = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    phases=(Phase.generate,),  # a real router takes too long for more than finding that something is wrong
    suppress_health_check=[HealthCheck.too_slow],
)


class Stream(NamedTuple):
    answer: httpx.Response
    open: ExitStack
    expected: str


def config(standins: Standins, names: tuple[str, ...], open_s: int) -> dict[str, object]:
    """Asked in the order of their names; one failure opens a breaker, for longer than a test lasts."""
    failover = {"circuitBreaker": {"failureThreshold": 1, "timeout": f"{open_s}s"}, "sameTargetRetries": 0}
    accounts = [account | {"priority": NAMES.index(account["name"])} for account in providers(standins, *names)]
    return {"externalProviders": accounts, "router": {"routingStrategy": "priority", "failover": failover}}


class Generations(RuleBasedStateMachine):
    """A refused configuration changes nothing. A good one is that of the next request; streams that began before it go
    on to their end. Who failed is left alone for as long as he stays, and begins anew when he comes back."""

    def __init__(self, router: Running, standins: Standins, open_s: int) -> None:
        """``open_s`` is another one each time: breakers that are made otherwise begin anew."""
        super().__init__()
        self.open_s = open_s
        self.router, self.standins = router, standins
        self.streams: list[Stream] = []
        self.names: tuple[str, ...] = ()
        self.left_alone: set[str] = set()
        standins.clear()
        self.reload(NAMES)

    @property
    def next(self) -> str:
        """Who is asked first; with everybody left alone, nobody knows."""
        return next((name for name in self.names if name not in self.left_alone), "")

    @rule(names=st.sampled_from(SUBSETS))
    def reload(self, names: tuple[str, ...]) -> None:
        self.router.config.clear()
        self.router.config.update(config(self.standins, names, self.open_s))
        assert self.router.admin.post("/admin/reload").status_code == 200
        self.names = names
        self.left_alone &= {*names}

    @rule(names=st.sampled_from(SUBSETS), mistake=st.sampled_from(("misspelt", "externalProviders", "server")))
    def reload_with_a_mistake(self, names: tuple[str, ...], mistake: str) -> None:
        wrong = {"misspelt": {}, "externalProviders": [], "server": {"port": 1}}[mistake]
        self.router.config.clear()
        self.router.config.update(config(self.standins, names, self.open_s) | {mistake: wrong})
        assert self.router.admin.post("/admin/reload").status_code == 422

    @precondition(lambda self: self.next)
    @rule()
    def ask(self) -> None:
        assert self.router.chat().headers["x-llm-router-target"] == self.next

    @precondition(lambda self: len(self.left_alone) < len(self.names) - 1)
    @rule(reloads_then=st.sampled_from((True, True, False)))
    def fail(self, reloads_then: bool) -> None:
        getattr(self.standins, self.next).fault("status", status=503, times=1)
        failed, answer = self.next, self.router.chat()
        self.left_alone.add(failed)
        assert answer.headers["x-llm-router-target"] == self.next
        if reloads_then:
            self.reload(self.names)
            self.ask()

    @precondition(lambda self: self.next and len(self.streams) < 3)
    @rule()
    def begin_a_stream(self) -> None:
        opened = ExitStack()
        body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 12, "stream": True}
        answer = opened.enter_context(self.router.client.stream("POST", "/v1/chat/completions", json=body))
        self.streams.append(Stream(answer, opened, self.next))

    @precondition(lambda self: self.streams)
    @rule()
    def read_it_to_its_end(self) -> None:
        stream = self.streams.pop(0)
        with stream.open:
            assert stream.answer.headers["x-llm-router-target"] == stream.expected
            assert stream.answer.read().rstrip().endswith(b"data: [DONE]")

    @invariant()
    def what_is_shown_is_of_one_generation(self) -> None:
        listed = [provider["name"] for provider in self.router.admin.get("/ai/providers").json()]
        assert tuple(listed) == self.names

    def teardown(self) -> None:
        while self.streams:
            self.read_it_to_its_end()


@pytest.mark.slow
def test_any_order() -> None:
    with running_standins(Pace(tokens_per_second=200)) as standins:
        with running_router(config(standins, NAMES, 100)) as router:
            seconds = count(101)

            class Here(Generations):
                def __init__(self) -> None:
                    super().__init__(router, standins, next(seconds))

            run_state_machine_as_test(Here, settings=FEW)
