"""The program: says where it serves, starts fast, stops when told, explains what is in its way."""

from __future__ import annotations

import json
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.router.ports import free_port
from tests.router.processes import Process
from tests.router.standins import Standin

from .raw import ask, connect, request

COMMAND = [sys.executable, "-m", "llm_router.demo.standins"]
FAST = ["--tokens-per-second", "0", "--first-token-s", "0"]


def _places(text: str) -> dict[str, Standin]:
    places: dict[str, Any] = json.loads(text)
    return {name: Standin(**place) for name, place in places.items()}


def test_it_serves_all_three_where_it_says(tmp_path: Path) -> None:
    ready, port = tmp_path / "ready.json", free_port()
    options = ["--ready-file", str(ready), "--print-ready", "--openai-port", str(port), *FAST]
    with Process([*COMMAND, *options], tmp_path / "log") as process:
        process.wait_until(ready.exists)
        places = _places(ready.read_text())
        assert list(places) == ["openai", "anthropic", "gemini"]
        assert places["openai"] == Standin(f"http://127.0.0.1:{port}", "sk-standin-openai")
        assert all(ask(standin, name).status == 200 for name, standin in places.items())
        assert _places(process.output) == places


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_at_once_even_while_it_is_silent(tmp_path: Path, number: signal.Signals) -> None:
    ready = tmp_path / "ready.json"
    with Process([*COMMAND, "--ready-file", str(ready), *FAST], tmp_path / "log") as process:
        process.wait_until(ready.exists)
        standin = _places(ready.read_text())["openai"]
        standin.fault("silence")
        with connect(standin) as caller:
            caller.sendall(request(standin, "openai"))
            process.wait_until(lambda: bool(standin.requests()))
            process.send(number)
            process.wait(deadline_s=5)
        assert process.output == ""


def test_keys_can_be_chosen(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    with Process([*COMMAND, "--ready-file", str(ready), "--gemini-key", "mine", *FAST], tmp_path / "log") as process:
        process.wait_until(ready.exists)
        standin = _places(ready.read_text())["gemini"]
        assert standin.api_key == "mine"
        assert ask(standin, "gemini").status == 400


def test_a_taken_port_is_told_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Process([*COMMAND, "--anthropic-port", str(port)], tmp_path / "log") as process:
            assert process.wait() == 1
    assert f"127.0.0.1:{port} for the anthropic stand-in: Address already in use" in process.output
    assert "Choose another port" in process.output
