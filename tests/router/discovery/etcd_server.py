"""A real etcd of the tests' own, and the few questions that they put to it themselves."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.router.ports import free_port
from tests.router.processes import Process, answers


@dataclass(frozen=True)
class EtcdServer:
    url: str
    process: Process

    def ask(self, path: str, token: str | None = None, **question: Any) -> dict[str, Any]:
        headers = {"authorization": token} if token else {}
        answer = httpx.post(f"{self.url}{path}", json=question, headers=headers, timeout=10, trust_env=False)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    def put(self, key: str, value: str, token: str | None = None) -> int:
        """The store's revision afterwards."""
        said = self.ask("/v3/kv/put", token, key=_coded(key), value=_coded(value))
        return int(said["header"]["revision"])

    def delete(self, key: str) -> None:
        self.ask("/v3/kv/deleterange", key=_coded(key))

    def clear(self) -> None:
        self.ask("/v3/kv/deleterange", key=_coded("\0"), range_end=_coded("\0"))

    def compact(self, revision: int) -> None:
        self.ask("/v3/kv/compaction", revision=revision, physical=True)

    def require_password(self, password: str) -> None:
        """From now on only ``root`` may do anything."""
        self.ask("/v3/auth/user/add", name="root", password=password)
        self.ask("/v3/auth/role/add", name="root")
        self.ask("/v3/auth/user/grant", user="root", role="root")
        self.ask("/v3/auth/enable")

    def token(self, password: str) -> str:
        return str(self.ask("/v3/auth/authenticate", name="root", password=password)["token"])


@contextmanager
def running_etcd(folder: Path, port: int | None = None) -> Iterator[EtcdServer]:
    """``folder`` holds its data: an etcd started on it again knows what it knew."""
    program = shutil.which("etcd")
    if program is None:
        pytest.fail("there is no etcd: sudo apt-get install etcd-server")
    client, peer = (f"http://127.0.0.1:{number}" for number in (port or free_port(), free_port()))
    command: list[str | Path] = [program, "--name", "test", "--data-dir", folder / "data", "--unsafe-no-fsync"]
    command += ["--listen-client-urls", client, "--advertise-client-urls", client]
    command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"test={peer}"]
    folder.mkdir(exist_ok=True)
    with Process(command, folder / "etcd.log") as process:
        process.wait_until(lambda: answers(f"{client}/health"))
        yield EtcdServer(client, process)


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
