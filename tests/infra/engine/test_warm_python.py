"""What the engine's tests start ends with who started it; else Pulumi would wait for ever for its output to close."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.infra.engine.warm_python import SOCKET

pytestmark = [pytest.mark.built, pytest.mark.timeout(120)]


def test_a_program_ends_with_one_who_was_killed_before_reading_its_process_id(
    warm_python: Path, tmp_path: Path
) -> None:
    script, told = tmp_path / "program.py", tmp_path / "pid"
    script.write_text(f"import os, time\nopen({str(told)!r}, 'w').write(f'{{os.getpid()}}\\n')\ntime.sleep(600)\n")
    message = json.dumps({"arguments": [str(script)], "environment": {}, "root": str(tmp_path), "folder": ""}).encode()
    with socket.socket(socket.AF_UNIX) as starter:
        starter.connect(str(warm_python))
        socket.send_fds(starter, [len(message).to_bytes(4, "big")], [1, 2])
        starter.sendall(message)
        wait_until(lambda: told.exists() and told.read_text().endswith("\n"))
    wait_until(lambda: not is_running(int(told.read_text())))


def test_a_host_ends_when_a_pulumi_that_started_it_is_killed(warm_python: Path, tmp_path: Path) -> None:
    script, told = tmp_path / "host.py", tmp_path / "pid"
    script.write_text(f"import os, time\nopen({str(told)!r}, 'w').write(f'{{os.getpid()}}\\n')\ntime.sleep(600)\n")
    command = [sys.executable, str(Path(__file__).with_name("warm_python.py")), "host", str(script)]
    starter = f"import subprocess; subprocess.run({command!r})"
    environment = os.environ | {SOCKET: str(warm_python)}
    with subprocess.Popen([sys.executable, "-c", starter], env=environment) as pulumi:
        wait_until(lambda: told.exists() and told.read_text().endswith("\n"))
        pulumi.kill()
    wait_until(lambda: not is_running(int(told.read_text())))


def is_running(pid: int) -> bool:
    """A zombie runs no more; its parent looks for it when it is asked for the next program."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)
