"""A real PostgreSQL of the tests' own. It refuses to run as root: then it runs as nobody."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.router.ports import free_port
from tests.router.processes import Process


@dataclass(frozen=True)
class PostgresServer:
    port: int
    process: Process

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """The URL of a database that is made for it."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"'.encode())
        return self.url(database)


@contextmanager
def postgres_data() -> Iterator[Path]:
    """A directory with an empty database cluster, which PostgreSQL may be started on several times."""
    folder = Path(tempfile.mkdtemp(prefix="llm-router-postgres-"))
    try:
        if os.getuid() == 0:
            shutil.chown(folder, "nobody", "nogroup")
        command = [*_as_nobody(), _program("initdb"), "-D", folder / "data", "-U", "postgres", "-A", "trust"]
        options = ["--no-sync", "--encoding=UTF8", "--locale=C"]
        subprocess.run([*command, *options], check=True, capture_output=True, cwd=folder, timeout=60)
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def running_postgres(folder: Path, log: Path, port: int | None = None) -> Iterator[PostgresServer]:
    port = port or free_port()
    command = [*_as_nobody(), _program("postgres"), "-D", folder / "data", "-F", "-k", folder, "-p", str(port)]
    with Process([*command, "-h", "127.0.0.1"], log) as process:
        server = PostgresServer(port, process)
        process.wait_until(lambda: _accepts(server))
        try:
            yield server
        finally:
            process.send(signal.SIGCONT)  # a test may have stopped it
            process.send(signal.SIGQUIT)  # at once, whoever is connected
            process.wait()


def _accepts(server: PostgresServer) -> bool:
    try:
        psycopg.connect(server.url(), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _as_nobody() -> list[str | Path]:
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []


def _program(name: str) -> Path:
    """Debian keeps the servers' programs off the path."""
    found = shutil.which(name)
    candidates = [Path(found)] if found else sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not candidates:
        pytest.fail("there is no PostgreSQL: sudo apt-get install postgresql")
    return candidates[-1]
