"""A real router process whose wall clock, and no other, jumps by an hour, either way, while it works (libfaketime)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import yaml

from tests.router.ports import free_port
from tests.router.processes import Process, answers
from tests.router.routers import providers
from tests.router.standins import Standins, running_standins
from tests.router.test_router_process import COMMAND

HOUR_S = 3600
JUMPS_S = (HOUR_S, -HOUR_S, 0)
FIRST_TOKEN_S = 1.5
HANG_S = 60.0


class Faked(NamedTuple):
    client: httpx.Client
    set_clock: Callable[[int], None]
    """By so many seconds off."""

    def chat(self, **fields: Any) -> httpx.Response:
        body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8} | fields
        return self.client.post("/v1/chat/completions", json=body)

    def served_by(self, *, stream: bool = False) -> str:
        answer = self.chat(stream=stream)
        assert answer.status_code == 200, answer.text
        return str(answer.headers["x-llm-router-target"])

    def off_s(self) -> int:
        """How far off the router's clock is, by what it says."""
        said = self.client.get("/health").json()["timestamp"]
        return round(time.mktime(time.strptime(said, "%Y-%m-%dT%H:%M:%SZ")) - time.mktime(time.gmtime()))


def library() -> Path:
    found = [*Path("/usr/lib").glob("*/faketime/libfaketime.so.1")]
    assert found, "the Debian package faketime is missing: scripts/debian-packages.sh test"
    return found[0]


@contextmanager
def faked(standins: Standins, folder: Path, **first: Any) -> Iterator[Faked]:
    """Everybody is sent to openai first; ``first`` are further settings of it."""
    standins.clear()
    port, offset, config = free_port(), folder / "offset", folder / "router.yaml"
    one, other = providers(standins, "openai", "anthropic")
    failover = {"circuitBreaker": {"failureThreshold": 2}, "sameTargetRetries": 0}
    router = {"routingStrategy": "failover", "failover": failover, "timeouts": {"firstToken": f"{FIRST_TOKEN_S}s"}}
    shown = {"server": {"port": port}, "admin": {"port": 0}, "externalProviders": [one | first, other]}
    config.write_text(yaml.safe_dump(shown | {"router": router}))

    def set_clock(seconds: int) -> None:
        beside = offset.with_suffix(".new")
        beside.write_text(f"{seconds:+d}\n")
        beside.replace(offset)

    set_clock(0)
    env = {"LD_PRELOAD": str(library()), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1"}
    env["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
    url = f"http://127.0.0.1:{port}"
    with (
        Process([COMMAND, "serve", "--config", config], folder / "router.log", env) as process,
        httpx.Client(base_url=url, timeout=30.0, trust_env=False) as client,
    ):
        process.wait_until(lambda: answers(f"{url}/readyz"))
        yield Faked(client, set_clock)


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


def jumped(router: Faked) -> list[str]:
    """Who answers an hour later, an hour before, and now."""
    seen = []
    for seconds in JUMPS_S:
        router.set_clock(seconds)
        assert abs(router.off_s() - seconds) < HANG_S, "the clock has not jumped"
        seen.append(router.served_by())
    return seen


def waited_s(router: Faked, seconds: int) -> float:
    """How long the first target's silence is waited for where the clock jumps meanwhile."""
    router.set_clock(0)
    began = time.monotonic()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(router.served_by, stream=True)
        time.sleep(FIRST_TOKEN_S / 5)
        router.set_clock(seconds)
        assert waiting.result() == "anthropic"
    return time.monotonic() - began


def test_an_open_breaker_stays_open_and_timers_end_in_their_time(standins: Standins, tmp_path: Path) -> None:
    with faked(standins, tmp_path) as router:
        assert [router.served_by(), *jumped(router)] == ["openai"] * 4, "what follows can fail"
        standins.openai.fault("silence")
        for seconds in (HOUR_S, -HOUR_S):
            assert FIRST_TOKEN_S * 0.95 <= waited_s(router, seconds) < HANG_S
        standins.openai.clear()
        assert jumped(router) == ["anthropic"] * 3
        assert standins.openai.requests() == []


def test_a_limit_that_is_reached_stays_so(standins: Standins, tmp_path: Path) -> None:
    with faked(standins, tmp_path, rateLimit={"requestsPerMinute": 1}) as router:
        assert [router.served_by(), *jumped(router)] == ["openai", *["anthropic"] * 3]
