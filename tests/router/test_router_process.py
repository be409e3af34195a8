"""``llm-router serve`` as a process: start, reload by signal, drain, and refusing to start."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from llm_router.demo.standins.delivery import Pace
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
def serving(standins: Standins, folder: Path) -> Iterator[tuple[Process, str, Path]]:
    port = free_port()
    config = folder / "router.yaml"
    write(config, standins, port, "openai", "anthropic", "gemini")
    with Process([COMMAND, "serve", "--config", config], folder / "router.log") as process:
        url = f"http://127.0.0.1:{port}"
        process.wait_until(lambda: answers(f"{url}/readyz"))
        yield process, url, config


def write(config: Path, standins: Standins, port: int, *names: str) -> None:
    shown = {"server": {"port": port}, "admin": {"port": 0}, "externalProviders": providers(standins, *names)}
    config.write_text(yaml.safe_dump(shown))


def chat(url: str, **fields: object) -> httpx.Response:
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8} | fields
    return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=30.0, trust_env=False)


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


def test_a_port_in_use_is_named_with_what_to_do(standins: Standins, tmp_path: Path) -> None:
    with serving(standins, tmp_path) as (_, _, config):
        with Process([COMMAND, "serve", "--config", config], tmp_path / "second.log") as second:
            assert second.wait() == 78
            assert "server.port" in second.output
            assert "Traceback" not in second.output


def test_a_public_listener_without_keys_is_refused(standins: Standins, tmp_path: Path) -> None:
    config = tmp_path / "router.yaml"
    shown = {"server": {"host": "0.0.0.0", "port": free_port()}, "externalProviders": providers(standins)}  # noqa: S104
    config.write_text(yaml.safe_dump(shown))
    with Process([COMMAND, "serve", "--config", config], tmp_path / "router.log") as process:
        assert process.wait() == 78
        assert "apiKeysFile" in process.output
