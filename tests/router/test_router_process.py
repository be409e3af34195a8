"""``llm-router serve`` as a process: start, reload by signal, drain, and refusing to start."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
import trustme
import yaml
from prometheus_client.parser import text_string_to_metric_families

from llm_router.admission.key_file import create
from llm_router.demo.standins.delivery import Pace
from llm_router.router_process import WATCH_S
from tests.router.passwords import quick_hash
from tests.router.ports import free_port
from tests.router.processes import Process, answers
from tests.router.routers import providers
from tests.router.standins import Standins, running_standins

COMMAND = Path(sys.executable).with_name("llm-router")


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins(Pace(tokens_per_second=40)) as running:
        yield running


@contextmanager
def serving(standins: Standins, folder: Path, **server: str | bool | int) -> Iterator[tuple[Process, str, Path]]:
    standins.clear()
    port = free_port()
    config = folder / "router.yaml"
    write(config, standins, port, "openai", "anthropic", "gemini", **server)
    with Process([COMMAND, "serve", "--config", config], folder / "router.log") as process:
        url = f"http://127.0.0.1:{port}"
        process.wait_until(lambda: answers(f"{url}/readyz"))
        yield process, url, config


def write(config: Path, standins: Standins, port: int, *names: str, **server: str | bool | int) -> None:
    shown = {"server": {"port": port, **server}, "admin": {"port": 0}, "externalProviders": providers(standins, *names)}
    config.write_text(yaml.safe_dump(shown))


def chat(url: str, **fields: object) -> httpx.Response:
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8} | fields
    return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=30.0, trust_env=False)


def test_load_balancers_see_that_it_drains_before_it_takes_nobody(standins: Standins, tmp_path: Path) -> None:
    with serving(standins, tmp_path, drainDelay="60s") as (process, url, _):
        process.send(signal.SIGTERM)
        process.wait_until(lambda: httpx.get(f"{url}/readyz", timeout=30.0, trust_env=False).text == "draining\n")
        assert httpx.get(f"{url}/readyz", timeout=30.0, trust_env=False).status_code == 503
        assert chat(url).status_code == 200, "who has not noticed yet is still answered"
        process.send(signal.SIGTERM)
        assert process.wait() == 0


def test_what_takes_longer_than_the_drain_ends_with_an_error(standins: Standins, tmp_path: Path) -> None:
    """In a stream, and where nothing has been sent yet; both are accounted for by whoever charges."""
    standins.clear()
    with serving(standins, tmp_path, drainTimeout="1s") as (process, url, _):
        answered: list[httpx.Response] = []
        standins.anthropic.fault("stall", after_events=6)
        callers = [threading.Thread(target=lambda: answered.append(chat(url, stream=True, max_tokens=40)))]
        callers[0].start()
        process.wait_until(lambda: [seen["events"] for seen in standins.anthropic.requests()] == [6])
        standins.anthropic.fault("silence")
        callers.append(threading.Thread(target=lambda: answered.append(chat(url))))
        callers[1].start()
        process.wait_until(lambda: len(standins.anthropic.requests()) == 2)
        process.send(signal.SIGTERM)
        for caller in callers:
            caller.join(60)
        assert process.wait() == 0
    streamed, whole = sorted(answered, key=lambda answer: answer.status_code)
    assert (streamed.status_code, whole.status_code) == (200, 503)
    assert whole.json()["error"]["code"] == "router_stopping"
    *_, last = [line for line in streamed.text.splitlines() if line]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "router_stopping"


def test_sigterm_lets_streams_finish_and_takes_nobody_new(standins: Standins, tmp_path: Path) -> None:
    standins.clear()
    with serving(standins, tmp_path) as (process, url, _):
        texts: list[str] = []
        caller = threading.Thread(target=lambda: texts.append(chat(url, stream=True, max_tokens=40).text))
        caller.start()
        process.wait_until(lambda: len(standins.anthropic.requests()) == 1)
        process.send(signal.SIGTERM)
        process.wait_until(lambda: not answers(f"{url}/livez"))
        caller.join()
        assert process.wait() == 0, process.output
        assert texts[0].rstrip().endswith("data: [DONE]")


def test_sighup_reloads_and_a_refused_file_changes_nothing(standins: Standins, tmp_path: Path) -> None:
    with serving(standins, tmp_path) as (process, url, config):
        port = int(url.rpartition(":")[2])
        assert chat(url).headers["x-llm-router-target"] == "anthropic"
        config.write_text("router: {nonsense: 1}\n")
        process.send(signal.SIGHUP)
        process.wait_until(lambda: "reload refused" in process.output)
        assert "nonsense" in process.output
        assert chat(url).headers["x-llm-router-target"] == "anthropic"
        write(config, standins, port, "gemini")
        process.send(signal.SIGHUP)
        process.wait_until(lambda: "\nreloaded" in process.output)
        assert chat(url).headers["x-llm-router-target"] == "gemini"


def test_a_changed_file_is_taken_up_and_a_refused_one_changes_nothing(standins: Standins, tmp_path: Path) -> None:
    with serving(standins, tmp_path) as (process, url, config):
        port = int(url.rpartition(":")[2])
        config.write_text("router: {nonsense: 1}\n")
        process.wait_until(lambda: "reload refused" in process.output)
        assert chat(url).headers["x-llm-router-target"] == "anthropic"
        write(config, standins, port, "gemini")
        process.wait_until(lambda: "\nreloaded" in process.output)
        assert chat(url).headers["x-llm-router-target"] == "gemini"


def test_without_watch_config_a_changed_file_waits_for_a_signal(standins: Standins, tmp_path: Path) -> None:
    with serving(standins, tmp_path, watchConfig=False) as (process, url, config):
        write(config, standins, int(url.rpartition(":")[2]), "gemini", watchConfig=False)
        time.sleep(2 * WATCH_S)  # nothing is to happen: no event could be waited for
        assert chat(url).headers["x-llm-router-target"] == "anthropic"
        process.send(signal.SIGHUP)
        process.wait_until(lambda: "\nreloaded" in process.output)
        assert chat(url).headers["x-llm-router-target"] == "gemini"


def test_a_port_in_use_is_named_with_what_to_do(standins: Standins, tmp_path: Path) -> None:
    with serving(standins, tmp_path) as (_, _, config):
        with Process([COMMAND, "serve", "--config", config], tmp_path / "second.log") as second:
            assert second.wait() == 78
            assert "server.port" in second.output
            assert "Traceback" not in second.output


def test_a_listener_of_its_own_shows_metrics_and_nothing_else(standins: Standins, tmp_path: Path) -> None:
    config, port, metrics = tmp_path / "router.yaml", free_port(), free_port()
    write(config, standins, port, "openai")
    shown = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump(shown | {"admin": {"port": 0, "metrics": f"127.0.0.1:{metrics}"}}))
    with Process([COMMAND, "serve", "--config", config], tmp_path / "router.log") as process:
        process.wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        url = f"http://127.0.0.1:{metrics}"
        shown = httpx.get(f"{url}/metrics", timeout=30.0, trust_env=False).text
        assert "llm_router_config_last_reload_success 1.0" in shown
        assert httpx.get(f"{url}/admin/config", timeout=30.0, trust_env=False).status_code == 404
        assert httpx.post(f"{url}/admin/reload", timeout=30.0, trust_env=False).status_code == 404


def test_with_a_token_they_are_for_who_shows_it_and_the_admin_listener_asks_nobody(
    standins: Standins, tmp_path: Path
) -> None:
    config, port, admin, metrics = tmp_path / "router.yaml", free_port(), free_port(), free_port()
    (tmp_path / "token").write_text("the-token-of-prometheus\n")
    write(config, standins, port, "openai")
    listeners = {"port": admin, "metrics": f"127.0.0.1:{metrics}", "metricsToken": "file:token"}
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | {"admin": listeners}))
    with Process([COMMAND, "serve", "--config", config], tmp_path / "router.log") as process:
        process.wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))

        def scrape(port: int, token: str = "") -> tuple[int, bool]:
            headers = {"authorization": f"Bearer {token}"} if token else {}
            answer = httpx.get(f"http://127.0.0.1:{port}/metrics", headers=headers, trust_env=False)
            return answer.status_code, "llm_router_config_last_reload_success" in answer.text

        assert scrape(metrics, "the-token-of-prometheus") == (200, True)
        assert scrape(metrics) == scrape(metrics, "another-token-altogether") == (401, False)
        assert scrape(admin) == (200, True)
        shown = httpx.get(f"http://127.0.0.1:{admin}/admin/config", trust_env=False).text
        assert '"metricsToken":"***' in shown.replace(" ", "")
        assert "the-token-of-prometheus" not in shown + process.output


def test_a_public_listener_without_keys_is_refused(standins: Standins, tmp_path: Path) -> None:
    config = tmp_path / "router.yaml"
    shown = {"server": {"host": "0.0.0.0", "port": free_port()}, "externalProviders": providers(standins)}  # noqa: S104
    config.write_text(yaml.safe_dump(shown))
    with Process([COMMAND, "serve", "--config", config], tmp_path / "router.log") as process:
        assert process.wait() == 78
        assert "apiKeysFile" in process.output


def test_out_of_file_descriptors_it_answers_503_and_recovers(standins: Standins, tmp_path: Path) -> None:
    """Each request needs a connection to a target, and none is to blame that there cannot be one."""
    standins.clear()
    port = free_port()
    config = tmp_path / "router.yaml"
    write(config, standins, port, "openai")
    command: list[str | Path] = ["/bin/sh", "-c", 'ulimit -n 80; exec "$@"', "sh", COMMAND, "serve", "--config", config]
    url = f"http://127.0.0.1:{port}"
    with (
        Process(command, tmp_path / "router.log") as process,
        httpx.Client(base_url=url, timeout=30.0, trust_env=False) as client,
        contextlib.ExitStack() as others,
    ):
        process.wait_until(lambda: answers(f"{url}/readyz"))
        assert client.get("/livez").status_code == 200
        while psutil.Process(process.pid).num_fds() < 80:
            others.enter_context(socket.create_connection(("127.0.0.1", port)))
        body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
        for _ in range(6):  # more than open a breaker
            refused = client.post("/v1/chat/completions", json=body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
            assert refused.headers["retry-after"] == "1"
        assert client.get("/livez").status_code == 200, "who is connected is served"
        others.close()
        process.wait_until(lambda: psutil.Process(process.pid).num_fds() < 70)
        assert chat(url).status_code == 200
        metrics = httpx.get(f"{url}/metrics", timeout=30.0, trust_env=False).text
        assert 'llm_router_circuit_state{target="openai"} 0.0' in metrics


def test_it_takes_as_many_file_descriptors_as_the_system_grants(standins: Standins, tmp_path: Path) -> None:
    """Debian gives 1024 to who does not ask: not enough for a thousand streams."""
    standins.clear()
    port = free_port()
    config = tmp_path / "router.yaml"
    write(config, standins, port, "openai")
    limits = "ulimit -Sn 256; ulimit -Hn 2048"
    command: list[str | Path] = ["/bin/sh", "-c", f'{limits}; exec "$@"', "sh", COMMAND, "serve", "--config", config]
    with Process(command, tmp_path / "router.log") as process:
        process.wait_until(lambda: answers(f"http://127.0.0.1:{port}/livez"))
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (2048, 2048)


@pytest.mark.slow
def test_a_thousand_callers_at_once_are_all_answered(standins: Standins, tmp_path: Path) -> None:
    """Served, or refused with 503 and a time to come back; nobody is left waiting or cut off."""
    standins.clear()
    body = b'{"model":"auto","messages":[{"role":"user","content":"Hi"}],"max_tokens":8}'
    sent = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n"
    sent += b"content-length: %d\r\n\r\n" % len(body) + body

    async def ask(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        answer = await reader.read()
        writer.close()
        return answer

    async def all_of_them(port: int) -> list[bytes]:
        async with asyncio.timeout(60):
            return await asyncio.gather(*(ask(port) for _ in range(1000)))

    with serving(standins, tmp_path, maxRequests=100) as (_, url, _config):
        answered = asyncio.run(all_of_them(int(url.rpartition(":")[2])))
        assert chat(url).status_code == 200
    statuses = Counter(answer.split(b" ", 2)[1] for answer in answered)
    assert statuses.keys() == {b"200", b"503"}
    assert statuses[b"200"] >= 95, "as many as there are places"
    assert all(b"retry-after: 1\r\n" in answer for answer in answered if b" 503 " in answer[:20])


def test_a_blocked_event_loop_fails_its_liveness_and_shows_in_the_metrics(standins: Standins, tmp_path: Path) -> None:
    """A stopped process is the hardest block: nothing of it runs."""
    with serving(standins, tmp_path) as (process, url, _):
        process.send(signal.SIGSTOP)
        try:
            with pytest.raises(httpx.ReadTimeout):
                httpx.get(f"{url}/livez", timeout=0.7, trust_env=False)
        finally:
            process.send(signal.SIGCONT)
        process.wait_until(lambda: answers(f"{url}/livez"))
        process.wait_until(lambda: lagged(url, "0.25") > 0)


def lagged(url: str, by_s: str) -> float:
    """How often the loop was later than so many seconds."""
    text = httpx.get(f"{url}/metrics", timeout=30.0, trust_env=False).text
    (family,) = [f for f in text_string_to_metric_families(text) if f.name == "llm_router_loop_lag_seconds"]
    below = {s.labels["le"]: s.value for s in family.samples if s.name.endswith("_bucket")}
    return float(below["+Inf"] - below[by_s])


def test_the_admin_listener_serves_tls_and_tells_programs_with_a_key(standins: Standins, tmp_path: Path) -> None:
    """``llm-router savings`` is one: it asks the router that has the ledger in memory."""
    ca = trustme.CA()
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "admin.pem")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    key, ports = create(tmp_path / "admin-keys.yaml", "finance"), (free_port(), free_port())
    config = tmp_path / "router.yaml"
    tls = {"certFile": "admin.pem", "keyFile": "admin.pem"}
    admin = {"port": ports[1], "passwordHash": "file:admin.hash", "keysFile": "admin-keys.yaml", "tls": tls}
    (tmp_path / "admin.hash").write_text(quick_hash())
    shown = {"server": {"port": ports[0]}, "admin": admin, "externalProviders": providers(standins)}
    config.write_text(yaml.safe_dump(shown))
    with Process([COMMAND, "serve", "--config", config], tmp_path / "router.log") as process:
        process.wait_until(lambda: answers(f"http://127.0.0.1:{ports[0]}/readyz"))
        chat(f"http://127.0.0.1:{ports[0]}")
        trusted = {**os.environ, "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
        asked = [str(COMMAND), "savings", "--config", str(config), "--json"]
        refused = subprocess.run(asked, env=trusted, capture_output=True, text=True, check=False)
        told = subprocess.run(
            asked, env=trusted | {"LLM_ROUTER_ADMIN_KEY": key}, capture_output=True, text=True, check=False
        )
    assert (refused.returncode, "401" in refused.stderr) == (1, True), refused.stderr
    assert json.loads(told.stdout)["requests"] == 1, told.stderr
