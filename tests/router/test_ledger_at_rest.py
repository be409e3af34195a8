"""A real router with its ledger on disk: what kill -9, SIGTERM and a database that goes away leave of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from llm_router.pricing.money import in_usd, picousd
from llm_router.state.ledger.store import open_store
from tests.router.ports import free_port
from tests.router.postgres_server import postgres_data, running_postgres
from tests.router.pricing.record_samples import make_record
from tests.router.processes import Process, answers
from tests.router.redis_server import running_redis
from tests.router.routers import Running, providers, running_router
from tests.router.standins import Standins, running_standins

COMMAND = Path(sys.executable).with_name("llm-router")
HI = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8}


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


class Served:
    """A router as a process, with its configuration, and a client of each listener."""

    def __init__(self, folder: Path, standins: Standins, **sections: Any) -> None:
        self.config, self.folder = folder / "router.yaml", folder
        ports = free_port(), free_port()
        listeners = {"server": {"port": ports[0]}, "admin": {"port": ports[1]}}
        self.config.write_text(yaml.safe_dump({**listeners, "externalProviders": providers(standins), **sections}))
        self.client, self.admin = (
            httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) for port in ports
        )

    @contextmanager
    def running(self) -> Iterator[Process]:
        with Process([COMMAND, "serve", "--config", self.config], self.folder / "router.log") as process:
            process.wait_until(lambda: answers(f"{self.client.base_url}/readyz"))
            yield process

    def ask(self) -> str:
        """The id of an answered request."""
        answer = self.client.post("/v1/chat/completions", json=HI)
        assert answer.status_code == 200, answer.text
        return str(answer.headers["x-llm-router-request-id"])

    def cli(self, *arguments: str) -> str:
        command = [str(COMMAND), *arguments, "--config", str(self.config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def served(tmp_path: Path, standins: Standins) -> Iterator[Served]:
    made = Served(tmp_path, standins, ledger={"url": "sqlite:///ledger.sqlite"})
    yield made
    made.client.close()
    made.admin.close()


def ids_in(file: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return [row[0] for row in connection.execute("SELECT request_id FROM llm_router_requests")]


@pytest.mark.slow
def test_kill_9_loses_at_most_the_last_second(served: Served) -> None:
    answered: list[tuple[str, float]] = []
    with served.running() as process:
        ends_at = time.monotonic() + 3.0
        while time.monotonic() < ends_at:
            answered.append((served.ask(), time.monotonic()))
            time.sleep(0.02)
        process.send(signal.SIGKILL)
        killed_at = time.monotonic()
        process.wait()
    kept = ids_in(served.folder / "ledger.sqlite")
    assert len(kept) == len(set(kept))
    # A busy machine may write half a second late.
    old = {request_id for request_id, at in answered if at < killed_at - 1.5}
    assert len(old) > 10
    assert old <= set(kept) <= {request_id for request_id, _ in answered}
    with served.running():  # and it goes on with what is there
        after = served.ask()
        assert served.admin.get("/admin/savings").json()["requests"] == len(kept) + 1
    assert sorted(ids_in(served.folder / "ledger.sqlite")) == sorted([*kept, after])


@pytest.mark.slow
def test_sigterm_writes_the_last_record_and_the_commands_read_it(served: Served) -> None:
    with served.running() as process:
        asked = [served.ask() for _ in range(7)]
        process.send(signal.SIGTERM)
        assert process.wait() == 0, process.output
    assert sorted(ids_in(served.folder / "ledger.sqlite")) == sorted(asked)
    lines = [json.loads(line) for line in served.cli("ledger", "export", "--since", "1h").splitlines()]
    assert sorted(line["request_id"] for line in lines) == sorted(asked)
    shown = json.loads(served.cli("savings", "--since", "7d", "--by", "target,day", "--json"))
    assert shown["cost_usd"] == in_usd(sum(picousd(line["cost_usd"]) for line in lines))
    assert shown["baseline"] == "cheapest compliant external"
    assert (shown["ledger"], shown["requests"]) == ("sqlite", 7)
    table = served.cli("savings")
    assert "anthropic" in table
    assert f"{shown['cost_usd']:,.8f}" in table
    assert served.cli("ledger", "export", "--until", "1h") == ""


@pytest.mark.slow
def test_a_database_that_goes_away_holds_nobody_up_and_gets_everything_later(
    standins: Standins, tmp_path: Path
) -> None:
    port = free_port()
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    served = Served(tmp_path, standins, ledger={"url": url})
    with postgres_data() as data, served.client, served.admin:
        with running_postgres(data, tmp_path / "first.log", port), served.running() as process:
            asked = [served.ask() for _ in range(3)]
            assert served.admin.get("/admin/savings").json()["requests"] == 3
        # The router has ended with the block: another, whose database is down from the start.
        with served.running() as process:
            asked += [served.ask() for _ in range(3)]
            process.wait_until(lambda: served.admin.get("/admin/ledger").json()["up"] is False)
            state = served.admin.get("/admin/ledger").json()
            assert (state["backend"], state["lost"], state["waiting"]) == ("postgresql", 0, 3)
            assert served.client.get("/health").json()["status"] == "degraded"
            assert 'llm_router_ledger_up{backend="postgresql"} 0.0' in served.admin.get("/metrics").text
            refused = served.admin.get("/admin/savings")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "ledger_unavailable")
            with running_postgres(data, tmp_path / "second.log", port):
                process.wait_until(lambda: served.admin.get("/admin/ledger").json()["up"] is True)
                shown = served.admin.get("/admin/savings").json()
                assert (shown["requests"], shown["rows"][0]["requests"]) == (6, 6)
                lines = served.cli("ledger", "export").splitlines()
                assert sorted(json.loads(line)["request_id"] for line in lines) == sorted(asked)
            process.wait_until(lambda: "cannot be written" in process.output)
            assert "written again" in process.output


def test_in_redis(standins: Standins, tmp_path: Path) -> None:
    with running_redis(tmp_path) as server:
        ledger = {"url": server.url, "retention": "30d"}
        with running_router({"externalProviders": providers(standins), "ledger": ledger}) as router:
            cost = spend(router)
            shown = router.admin.get("/admin/savings?by=key").json()
            assert (shown["ledger"], shown["cost_usd"]) == ("redis", cost)
            assert [row["key"] for row in shown["rows"]] == ["none"]


@pytest.mark.slow
def test_in_memory_the_command_asks_the_router(standins: Standins, tmp_path: Path) -> None:
    served = Served(tmp_path, standins)
    with served.client, served.admin:
        with served.running():
            served.ask()
            assert json.loads(served.cli("savings", "--json", "--since", "7d"))["requests"] == 1
        command = [str(COMMAND), "savings", "--config", str(served.config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert "in the router's memory" in done.stderr


def test_of_all_secrets_the_commands_need_the_ledgers_only(tmp_path: Path) -> None:
    config = tmp_path / "router.yaml"
    provider = {"name": "openai", "type": "openai", "apiKey": "${NOBODY_SETS_THIS}", "models": ["gpt-5.4-mini"]}
    config.write_text(yaml.safe_dump({"externalProviders": [provider], "ledger": {"url": "${THE_LEDGER}"}}))
    store = open_store("sqlite:///ledger.sqlite", folder=tmp_path)
    store.write([make_record("a")])
    store.close()
    command = [str(COMMAND), "ledger", "export", "--config", str(config)]
    without = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (without.returncode, "THE_LEDGER is not set" in without.stderr) == (1, True)
    env = {**os.environ, "THE_LEDGER": "sqlite:///ledger.sqlite"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert [json.loads(line)["request_id"] for line in done.stdout.splitlines()] == ["a"], done.stderr


@pytest.mark.parametrize("url", [None, "sqlite:///ledger.sqlite"])
def test_the_report_is_what_the_answers_said(standins: Standins, tmp_path: Path, url: str | None) -> None:
    config = {"externalProviders": providers(standins), "ledger": {"url": url} if url else {}}
    with running_router(config, folder=tmp_path) as router:
        cost = spend(router)
        shown = router.admin.get("/admin/savings", params={"since": "1h", "by": "target,model,key,day"}).json()
        assert (shown["requests"], shown["cost_usd"], shown["complete"]) == (5, cost, True)
        assert in_usd(sum(picousd(row["cost_usd"]) for row in shown["rows"])) == cost
        assert {row["target"] for row in shown["rows"]} == {"anthropic", "gemini"}
        assert router.admin.get("/admin/savings", params={"until": "1h"}).json()["requests"] == 0


@pytest.mark.parametrize(
    ("query", "said"),
    [("by=targets", 'did you mean "target"'), ("since=yesterday", "a time ago such as 7d"), ("form=2026", "'form'")],
)
def test_a_question_that_makes_no_sense_is_refused(standins: Standins, query: str, said: str) -> None:
    with running_router({"externalProviders": providers(standins)}) as router:
        answer = router.admin.get(f"/admin/savings?{query}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request_error")
        assert said in answer.json()["error"]["message"]


def spend(router: Running) -> float:
    """Five answered requests, of two targets; what the router said that they cost."""
    answers = [router.chat() for _ in range(3)] + [router.chat(headers={"X-LLM-Target": "gemini"}) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {200}
    said = in_usd(sum(picousd(float(answer.headers["x-llm-router-cost-usd"])) for answer in answers))
    booked = in_usd(sum(picousd(record["cost_usd"]) for record in router.admin.get("/admin/requests").json()))
    assert said == pytest.approx(booked, abs=5e-9)
    return booked
