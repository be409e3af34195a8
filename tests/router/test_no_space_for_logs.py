"""A router whose logs cannot be written, because the disk behind them is full, serves and reloads as usual."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import yaml

from tests.router.ports import free_port
from tests.router.processes import Process, answers
from tests.router.routers import providers
from tests.router.standins import Standins, running_standins

COMMAND = Path(sys.executable).with_name("llm-router")


def served_by(port: int) -> str:
    asked = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    answer = httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=asked, timeout=30.0, trust_env=False)
    assert answer.status_code == 200
    return str(answer.headers["x-llm-router-target"])


def write(config: Path, standins: Standins, port: int, name: str) -> None:
    shown = {
        "server": {"port": port},
        "admin": {"port": 0},
        "externalProviders": providers(standins, name),
    }
    config.write_text(yaml.safe_dump(shown))


def test_requests_and_reloads_go_on(tmp_path: Path) -> None:
    config, port = tmp_path / "router.yaml", free_port()
    with running_standins() as standins:
        write(config, standins, port, "anthropic")
        without_space = f'exec "{COMMAND}" serve --config "{config}" 2> /dev/full > /dev/full'
        with Process(["sh", "-c", without_space], tmp_path / "log", env={"LOG_LEVEL": "debug"}) as process:
            process.wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
            assert served_by(port) == "anthropic"
            config.write_text("router: {nonsense: 1}\n")
            process.wait_until(lambda: served_by(port) == "anthropic")
            write(config, standins, port, "gemini")
            process.wait_until(lambda: served_by(port) == "gemini")
