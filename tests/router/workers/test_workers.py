"""A router with several workers as its users run it: load, kill -9, reload, drain, and refusing to start."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from llm_router.admission.key_file import create
from llm_router.demo.standins.delivery import Pace
from tests.router.passwords import PASSWORD, quick_hash
from tests.router.ports import free_port
from tests.router.processes import Process, answers
from tests.router.routers import providers
from tests.router.standins import Standins, running_standins

pytestmark = pytest.mark.slow

COMMAND = Path(sys.executable).with_name("llm-router")
TOKENS, HELD_AT = 120, 100
"""Of a streamed answer, and where it stays until it is let go: under way for as long as a busy machine needs."""
STREAMING = "gemini"
"""Who gives streams; all other requests go to the cheapest."""
CHAT = "/v1/chat/completions"
HI = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
METRICS_TOKEN = "the-token-of-prometheus"


class Crew:
    """A router with two workers. A new connection for each request: whoever is free takes it."""

    def __init__(self, folder: Path, standins: Standins, drain_delay: str = "0s", **sections: Any) -> None:
        self.file, self.standins, self.log = folder / "router.yaml", standins, folder / "router.log"
        self.ports = free_port(), free_port(), free_port()
        self.url, self.admin_url, self.metrics_url = (f"http://127.0.0.1:{port}" for port in self.ports)
        self.sections, self.drain_delay = sections, drain_delay
        self.write()
        self.process = Process([COMMAND, "serve", "--config", self.file], self.log)

    def write(self, *names: str) -> None:
        """The file, with these providers."""
        server = {"port": self.ports[0], "workers": 2, "watchConfig": False, "drainDelay": self.drain_delay}
        admin = {"port": self.ports[1], "metrics": f"127.0.0.1:{self.ports[2]}", "metricsToken": METRICS_TOKEN}
        config = {"server": server, **self.sections, "admin": admin | self.sections.get("admin", {})}
        self.file.write_text(yaml.safe_dump(config | {"externalProviders": providers(self.standins, *names)}))

    def ask(self, **fields: Any) -> httpx.Response:
        return httpx.post(self.url + CHAT, json=HI | fields, timeout=30.0, trust_env=False)

    def admin(self, path: str) -> Any:
        return httpx.get(self.admin_url + path, timeout=30.0, trust_env=False).json()

    def pids(self) -> list[int]:
        return [worker["pid"] for worker in self.admin("/admin/workers")]

    def metrics(self, url: str | None = None) -> dict[str, float]:
        """Each metric summed over its series."""
        headers = {"authorization": f"Bearer {METRICS_TOKEN}"}
        text = httpx.get((url or self.admin_url) + "/metrics", headers=headers, timeout=30.0, trust_env=False).text
        sums: dict[str, float] = {}
        for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        return sums

    def target(self) -> set[str]:
        """Who answers, asked so often that each worker is among those who were asked."""
        asked: list[httpx.Response] = []
        together(4, lambda: asked.extend(self.ask() for _ in range(4)))
        return {answer.headers["x-llm-router-target"] for answer in asked}


class Stream:
    """A streamed answer that is being read. ``pid`` is the worker that gives it. It ends once it is let go."""

    def __init__(self, crew: Crew) -> None:
        self._began = threading.Event()
        self.text, self.port, self.broken = "", 0, False
        self._thread = threading.Thread(target=self._read, args=(crew,))
        self._thread.start()
        assert self._began.wait(30)
        self.pid = next(pid for pid in crew.pids() if self.port in ports_of(pid))

    def _read(self, crew: Crew) -> None:
        asked, headers = HI | {"stream": True, "max_tokens": TOKENS}, {"x-llm-target": STREAMING}
        try:
            with httpx.stream(
                "POST", crew.url + CHAT, json=asked, headers=headers, timeout=60.0, trust_env=False
            ) as answer:
                self.port = answer.extensions["network_stream"].get_extra_info("client_addr")[1]
                for text in answer.iter_text():
                    self.text += text
                    self._began.set()
        except httpx.TransportError:
            self.broken = True

    def end(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()

    @property
    def whole(self) -> bool:
        return not self.broken and self.text.rstrip().endswith("data: [DONE]")


def ports_of(pid: int) -> set[int]:
    """Whom the process is connected to."""
    return {link.raddr.port for link in psutil.Process(pid).net_connections("tcp") if link.raddr}


@contextmanager
def streams_of_both(crew: Crew) -> Iterator[list[Stream]]:
    """Some that are under way; when the context ends they are let go, and have ended."""
    crew.standins.gemini.fault("stall", after_events=HELD_AT)
    streams: list[Stream] = []
    try:
        while len({stream.pid for stream in streams}) < 2:
            assert len(streams) < 30, "one worker takes all"
            streams.append(Stream(crew))
        yield streams
    finally:
        crew.standins.gemini.go_on()
        for stream in streams:
            stream.end()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins(Pace(tokens_per_second=40)) as running:
        yield running


@contextmanager
def running(folder: Path, standins: Standins, **sections: Any) -> Iterator[Crew]:
    crew = Crew(folder, standins, **sections)
    with crew.process as process:
        process.wait_until(lambda: "llm-router serves on" in process.output)
        yield crew


@pytest.fixture(scope="module")
def crew(standins: Standins, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """Shared: whoever changes it leaves both workers serving the file."""
    with running(tmp_path_factory.mktemp("crew"), standins, ledger={"url": "sqlite:///ledger.sqlite"}) as started:
        yield started


def together(count: int, work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_workers_share_the_load_and_speak_with_one_voice(crew: Crew) -> None:
    before = crew.metrics().get("llm_router_requests_total", 0.0)
    asked: list[httpx.Response] = []
    together(8, lambda: asked.extend(crew.ask() for _ in range(3)))
    assert [answer.status_code for answer in asked] == [200] * 24
    whole = crew.metrics()
    assert whole["llm_router_requests_total"] == before + 24
    assert whole["llm_router_request_duration_seconds_count"] == before + 24
    assert whole["llm_router_workers"] == 2
    assert crew.metrics(crew.url)["llm_router_requests_total"] == before + 24, "the public listener says the same"
    assert crew.metrics(crew.metrics_url)["llm_router_requests_total"] == before + 24, "and that of metrics alone"
    assert httpx.get(f"{crew.metrics_url}/metrics", timeout=30.0, trust_env=False).status_code == 401, (
        "to who shows the token"
    )
    assert crew.admin("/admin/savings")["requests"] == before + 24, "and so does the ledger on disk"
    ids = {answer.headers["x-llm-router-request-id"] for answer in asked}
    assert ids <= {record["request_id"] for record in crew.admin("/admin/requests")}
    assert ids <= {decision["request_id"] for decision in crew.admin("/admin/decisions")}
    assert crew.admin("/ai/providers/anthropic/stats")["targets"]["anthropic"]["requests"] == before + 24
    assert len(crew.admin("/admin/decisions?limit=3")) == len(crew.admin("/admin/requests?limit=3")) == 3, "of all"
    assert crew.admin("/admin/decisions?limit=x")["error"]["param"] == "limit"
    assert crew.admin("/ai/providers/nobody/health")["error"]["code"] == "not_found"
    assert {owner["name"] for owner in crew.admin("/ai/providers")} == {"openai", "anthropic", "gemini"}
    assert crew.admin("/admin/ledger") | {"written": 0, "delay_s": 0} == {
        "backend": "sqlite",
        "up": True,
        "error": None,
        "waiting": 0,
        "delay_s": 0,
        "written": 0,
        "lost": 0,
        "kept": before + 24,
        "duplicates": 0,
    }
    with streams_of_both(crew) as streams:
        assert {stream.pid for stream in streams} == {*crew.pids()}
    assert all(stream.whole for stream in streams)


def test_kill_9_of_a_worker_hurts_its_own_streams_only(crew: Crew) -> None:
    """And its successor serves what is in force, not what the file says meanwhile."""
    crew.file.write_text("router: {nonsense: 1}\n")
    crew.ask()
    before, pids = crew.metrics(), crew.pids()
    with streams_of_both(crew) as streams:
        victim = streams[0].pid
        os.kill(victim, signal.SIGKILL)
        shown = [before["llm_router_requests_total"]]
        answered = [crew.ask().status_code for _ in range(6)]
        shown.append(crew.metrics()["llm_router_requests_total"])
        crew.process.wait_until(lambda: victim not in crew.pids() and len(crew.pids()) == 2)
    assert [stream.whole for stream in streams] == [stream.pid != victim for stream in streams]
    assert answered == [200] * 6
    after = crew.metrics()
    shown.append(after["llm_router_requests_total"])
    assert shown == sorted(shown), "a counter never falls"
    alive = sum(stream.pid != victim for stream in streams)
    assert after["llm_router_requests_total"] == before["llm_router_requests_total"] + 6 + alive
    assert after["llm_router_pending_requests"] == 0, "what the dead one had under way is not shown for ever"
    assert (after["llm_router_workers"], after["llm_router_worker_restarts_total"]) == (2, 1)
    assert len({*pids, *crew.pids()}) == 3
    assert answers(f"{crew.url}/readyz")
    assert "killed by signal 9" in crew.process.output
    assert crew.target() == {"anthropic"}
    crew.write()


def test_all_workers_reload_or_none(crew: Crew) -> None:
    crew.write("gemini")
    crew.process.send(signal.SIGHUP)
    crew.process.wait_until(lambda: "\nreloaded" in crew.process.output)
    assert crew.target() == {"gemini"}
    crew.file.write_text("router: {nonsense: 1}\n")
    refused = httpx.post(crew.admin_url + "/admin/reload", timeout=30.0, trust_env=False)
    assert (refused.status_code, refused.json()["reloaded"]) == (422, False)
    assert "nonsense" in refused.json()["problems"][0]
    assert crew.target() == {"gemini"}
    assert crew.metrics()["llm_router_config_last_reload_success"] == 0
    crew.write()
    text = crew.file.read_text()
    crew.file.write_text(text.replace("workers: 2", "workers: 3"))
    refused = httpx.post(crew.admin_url + "/admin/reload", timeout=30.0, trust_env=False)
    assert "server.workers: changed, which takes a restart" in refused.json()["problems"][0], "said by the workers"
    assert crew.target() == {"gemini"}
    crew.file.write_text(text)
    assert httpx.post(crew.admin_url + "/admin/reload", timeout=30.0, trust_env=False).json() == {
        "reloaded": True,
        "problems": [],
    }
    assert crew.target() == {"anthropic"}
    assert crew.metrics()["llm_router_config_last_reload_success"] == 1


def test_one_login_opens_what_all_workers_tell_until_the_password_changes(standins: Standins, tmp_path: Path) -> None:
    """The supervisor has the admin listener and the sessions, so it does not matter which worker is asked."""
    (tmp_path / "admin.hash").write_text(quick_hash())
    key = create(tmp_path / "admin-keys.yaml", "monitoring")
    page = {"x-llm-router-page": "attended", "sec-fetch-site": "same-origin"}
    admin = {"passwordHash": "file:admin.hash", "keysFile": "admin-keys.yaml"}
    crew = Crew(tmp_path, standins, admin=admin)
    with crew.process as process, httpx.Client(base_url=crew.admin_url, timeout=30.0, trust_env=False) as client:
        process.wait_until(lambda: "llm-router serves on" in process.output)
        assert client.get("/admin/decisions").status_code == 401
        assert client.post("/login", json={"password": "not the right one"}, headers=page).status_code == 401
        login = client.post("/login", json={"password": PASSWORD}, headers=page)
        cookie = {"cookie": login.headers["set-cookie"].partition(";")[0]}
        together(4, lambda: [crew.ask() for _ in range(2)])
        assert len(client.get("/admin/decisions", headers=cookie).json()) == 8, "of both"
        assert client.get("/", headers=cookie).status_code == 200
        metrics = client.get("/metrics", headers={"authorization": f"Bearer {key}"}).text
        assert 'llm_router_admin_logins_total{result="failed"} 1.0' in metrics
        (tmp_path / "admin.hash").write_text(quick_hash("a-different-windmill-song"))
        assert client.post("/admin/reload", headers=cookie | page).json()["reloaded"]
        assert client.get("/admin/decisions", headers=cookie).status_code == 401
        (tmp_path / "admin-keys.yaml").write_text("nonsense: 1\n")
        bearer = {"authorization": f"Bearer {key}"}
        assert client.post("/admin/reload", headers=bearer).status_code == 422
        assert client.get("/admin/decisions", headers=bearer).status_code == 200, "the old keys stay"


def test_workers_do_not_outlive_their_supervisor(crew: Crew, tmp_path: Path) -> None:
    """The last of those that share a router."""
    pids = crew.pids()
    crew.process.send(signal.SIGKILL)
    assert crew.process.wait() == -signal.SIGKILL
    with Process(["sleep", "60"], tmp_path / "clock.log") as clock:
        clock.wait_until(lambda: all(gone(pid) for pid in pids))


def test_sigterm_lets_all_workers_finish_whoever_gets_it(standins: Standins, tmp_path: Path) -> None:
    """A service manager sends it to every process of the group: that is no second signal."""
    with running(tmp_path, standins) as crew:
        for _ in range(4):
            crew.ask()
        assert crew.admin("/admin/savings")["requests"] == 4, "summed up from the memories of both"
        pids = crew.pids()
        with streams_of_both(crew) as streams:
            for pid in (crew.process.pid, *pids):
                os.kill(pid, signal.SIGTERM)
            crew.process.wait_until(lambda: not answers(f"{crew.url}/livez"))
        assert all(stream.whole for stream in streams)
        assert crew.process.wait() == 0, crew.process.output
        assert all(gone(pid) for pid in pids)
        assert "has ended" not in crew.process.output
        assert "server.workers: each has its own ledger in memory" in crew.process.output


def test_a_second_signal_ends_all_workers_at_once(standins: Standins, tmp_path: Path) -> None:
    with running(tmp_path, standins, drain_delay="60s") as crew:
        crew.process.send(signal.SIGTERM)
        crew.process.wait_until(
            lambda: httpx.get(f"{crew.url}/readyz", timeout=30.0, trust_env=False).text == "draining\n"
        )
        assert crew.ask().status_code == 200, "who has not noticed yet is still answered"
        crew.process.send(signal.SIGTERM)
        assert crew.process.wait() == 0, crew.process.output


def test_what_only_a_worker_refuses_is_said_once_and_ends_with_78(standins: Standins, tmp_path: Path) -> None:
    (tmp_path / "keys.yaml").write_text("keys: [{name: ci, sha256: abc}]\n")
    crew = Crew(tmp_path, standins, access={"apiKeysFile": "keys.yaml"})
    with crew.process as process:
        assert process.wait() == 78, process.output
        assert process.output.count("keys[0].sha256") == 1
        assert "Traceback" not in process.output


def test_a_worker_that_cannot_come_up_again_leaves_the_others_at_work(standins: Standins, tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text("keys: []\n")
    with running(tmp_path, standins, access={"apiKeysFile": "keys.yaml"}) as crew:
        keys.write_text("keys: [{name: ci, sha256: abc}]\n")
        victim = crew.pids()[0]
        os.kill(victim, signal.SIGKILL)
        crew.process.wait_until(lambda: "came to exit code 78" in crew.process.output)
        assert crew.ask().status_code == 401, "the other one goes on"
        keys.write_text("keys: []\n")
        crew.process.wait_until(lambda: len(crew.pids()) == 2)
        shown = [json.loads(line) for line in crew.process.output.splitlines() if line.startswith("{")]
        assert all("worker 1" in line["message"] for line in shown)
