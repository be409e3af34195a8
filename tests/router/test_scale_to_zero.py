"""A running router and a pool that comes and goes: a real llama.cpp server that is started when it is wanted."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_router.demo.models import Models
from tests.router.llama import LLAMA_KEY, Llama, running_llama
from tests.router.ports import free_port
from tests.router.routers import Running, providers, running_router
from tests.router.standins import Standins, running_standins

ZERO = {"minNodes": 0, "maxNodes": 1, "coldStart": "20s", "idleTimeout": "2s"}


def eventually(condition: Callable[[], bool], *, deadline_s: float = 20.0) -> None:
    ends_at = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.02)


class Pool:
    """A pool of one node at a fixed address: the cloud's part, played by the test."""

    def __init__(self, gguf: Path, log: Path) -> None:
        self.port, self._gguf, self._log = free_port(), gguf, log
        self._node = contextlib.ExitStack()

    def config(self, scaling: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": "pool",
            "endpoint": f"http://127.0.0.1:{self.port}",
            "authType": "bearer",
            "apiKey": LLAMA_KEY,
            "models": [{"name": "tiny", "contextLength": 2048}],
            "costPerHour": 0.1,
            "capacity": {"slots": 2, "decodeTokensPerSecond": 100, "prefillTokensPerSecond": 5000},
            "scaling": scaling,
        }

    def start(self) -> Llama:
        return self._node.enter_context(running_llama(self._gguf, self._log, slots=2, port=self.port))

    def stop(self) -> None:
        self._node.close()


@pytest.fixture
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


@pytest.fixture
def pool(tiny_models: Models, tmp_path: Path) -> Iterator[Pool]:
    pool = Pool(tiny_models.small, tmp_path / "llama.log")
    yield pool
    pool.stop()


def wanted(router: Running) -> float | None:
    registry = router.app.generation().metrics.registry
    return registry.get_sample_value("llm_router_pool_wanted", {"pool": "pool"})


def state(router: Running) -> str:
    return router.app.generation().board.view("pool").state


def test_a_router_that_starts_beside_a_running_pool_is_ready_when_it_knows_that_it_runs(pool: Pool) -> None:
    pool.start()
    with running_router({"clusters": [pool.config(ZERO)]}) as router:
        eventually(lambda: router.client.get("/readyz").status_code == 200)
        assert router.chat().status_code == 200


def test_a_pool_that_says_nothing_does_not_hold_up_the_router_for_long(pool: Pool) -> None:
    with socket.create_server(("127.0.0.1", pool.port)), running_router({"clusters": [pool.config(ZERO)]}) as router:
        ready = router.client.get("/readyz")
        assert (ready.status_code, ready.text) == (503, "looking at pools\n")
        eventually(lambda: router.client.get("/readyz").status_code == 200)


def test_a_request_that_nobody_else_may_answer_wakes_the_pool_and_is_told_when_to_return(pool: Pool) -> None:
    with running_router({"clusters": [pool.config(ZERO)]}) as router:
        assert router.client.get("/health").json()["status"] == "healthy"
        eventually(lambda: router.app.generation().board.view("pool").cost is not None)
        refused = router.chat()
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_healthy_target")
        assert int(refused.headers["retry-after"]) == 20
        assert (wanted(router), state(router)) == (1, "starting")
        assert router.client.get("/health").json()["status"] == "healthy"
        pool.start()
        eventually(lambda: state(router) == "up")
        answer = router.chat()
        assert (answer.status_code, answer.headers["x-llm-router-reason"]) == (200, "hybrid_cluster")
        stats = router.admin.get("/ai/clusters/pool/stats").json()
        assert stats["pool"]["wanted"] == stats["pool"]["nodes"] == 1
        assert (stats["rent"]["why"], stats["pool"]["in_flight"], stats["pool"]["unread_tokens"]) == ("needed", 0, 0)
        eventually(lambda: wanted(router) == 0)  # nobody asks any more
        pool.stop()
        again = router.chat()
        assert again.status_code in (502, 503)  # it is not known yet, or known already, that it went
        eventually(lambda: router.client.get("/health").json()["status"] == "healthy")


def test_while_a_pool_warms_up_requests_go_outside_and_the_decision_says_why(pool: Pool, standins: Standins) -> None:
    config = {"clusters": [pool.config(ZERO)], "externalProviders": providers(standins, "openai")}
    with running_router(config) as router:
        eventually(lambda: router.app.generation().board.view("pool").cost is not None)
        spilled = router.chat()
        assert (spilled.status_code, spilled.headers["x-llm-router-reason"]) == (200, "hybrid_external")
        assert wanted(router) == 0  # one request does not pay for a node
        called = router.chat(headers={"x-llm-strategy": "cluster_first"})
        assert called.headers["x-llm-router-target"] == "openai"
        assert (wanted(router), state(router)) == (1, "starting")
        last, first = router.admin.get("/admin/decisions").json()
        assert (last["woken"], last["demand"]["called"]) == (["pool"], "pool")
        assert (first["woken"], first["demand"]["spilled"], first["demand"]["able"]) == ([], True, ["pool"])
        assert [rejected["reason"] for rejected in first["rejected"]] == ["state: the pool is zero"]
        assert router.client.post("/v1/route", json={"model": "auto", "messages": [{"role": "user", "content": "x"}]})
        pool.start()
        eventually(lambda: state(router) == "up")
        assert router.chat().headers["x-llm-router-target"] == "pool"


def test_a_reload_forgets_neither_the_wish_nor_what_is_under_way(pool: Pool, standins: Standins) -> None:
    patient = ZERO | {"idleTimeout": "60s"}
    config = {"clusters": [pool.config(patient)], "externalProviders": providers(standins, "openai")}
    with running_router(config) as router:
        pool.start()
        eventually(lambda: state(router) == "up")
        assert wanted(router) == 1  # it ran already, so it is taken as it is
        slot = router.app.generation().standings["pool"].take_slot(50)
        router.config["router"] = {"maxQueueDepth": 3}
        assert router.admin.post("/admin/reload").status_code == 200
        generation = router.app.generation()
        shared = generation.board.pool("pool")
        assert shared is not None
        assert (shared.in_flight, shared.unread_tokens, shared.wanted, wanted(router)) == (1, 50, 1, 1)
        stats = router.admin.get("/ai/clusters/pool/stats").json()
        assert stats["rent"]["why"] == "found"
        slot.release()
        assert router.admin.get("/ai/clusters/pool/stats").json()["pool"]["in_flight"] == 0


def test_a_full_pool_spills_and_its_queue_is_counted_for_all_its_models(pool: Pool, standins: Standins) -> None:
    cluster = pool.config({"minNodes": 1}) | {"models": [{"name": "tiny"}, {"name": "other"}]}
    config = {"clusters": [cluster], "externalProviders": providers(standins, "openai")}
    pool.start()
    with running_router(config) as router:
        generation = router.app.generation()
        eventually(lambda: generation.board.view("pool/tiny").health == "healthy")
        slots = [generation.standings[f"pool/{model}"].take_slot() for model in ("tiny", "other")]
        assert router.chat().headers["x-llm-router-reason"] == "hybrid_external"
        slots.pop().release()
        assert router.chat().headers["x-llm-router-reason"] == "hybrid_cluster"
        slots.pop().release()
