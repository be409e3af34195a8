"""A real Redis of the tests' own."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.router.ports import free_port
from tests.router.processes import Process


@dataclass(frozen=True)
class RedisServer:
    port: int
    process: Process

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


@contextmanager
def running_redis(folder: Path, port: int | None = None, *options: str) -> Iterator[RedisServer]:
    """Without persistence, unless ``options`` say otherwise."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.fail("there is no Redis: sudo apt-get install redis-server")
    port = port or free_port()
    folder.mkdir(exist_ok=True)
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *options]
    with Process(command, folder / "redis.log") as process:
        process.wait_until(lambda: _accepts(port))
        yield RedisServer(port, process)


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False
