"""A running bench: the stand-in, the gateways in front of it, and the load generator aimed at one of them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from llm_router.demo.ports import free_port
from scripts.bench.gateways import GATEWAYS, Site
from scripts.bench.load import GRACE_S, Result
from scripts.bench.machine import cpu_ns, on_core, two_cores
from scripts.bench.report import DIRECT, Sample

ROOT = Path(__file__).resolve().parents[2]
READY_S = 20.0
_UPSTREAM_KEY = "sk-standin-0123456789abcdef0123456789abcdef"


class BenchError(Exception):
    """The bench cannot go on; the text says why."""


class Session:
    """Use as a context manager: inside, all ``targets`` run. The gateways have one core to themselves, what surrounds
    them has another; on a machine with a single core all share it."""

    def __init__(self, targets: Sequence[str], folder: Path) -> None:
        self._targets, self._folder = targets, folder
        self._gateway_core, self._other_core = two_cores()
        self._stack = ExitStack()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._urls: dict[str, str] = {}
        self._key = ""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            standin = [sys.executable, "-m", "scripts.bench.standin", "--key", _UPSTREAM_KEY]
            process = stack.enter_context(_running(standin, self._folder / "standin.log", self._other_core))
            self._urls[DIRECT] = f"http://127.0.0.1:{_port_said(process, self._folder / 'standin.log')}"
            key_file = self._folder / "keys.yaml"
            self._key = _make_key(key_file)
            for target in self._targets:
                self._processes[target] = stack.enter_context(self._gateway(target, key_file))
                self._wait_until_ready(target)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def sample(self, target: str, workload: str, *, seconds: float, round_: int) -> Sample:
        """Put one workload on one target. ``DIRECT`` has no gateway, so no CPU time. Raises ``BenchError`` where the
        gateway has ended."""
        before = self._used_us(target)
        result = self._load(target, workload, seconds)
        used_us = self._used_us(target) - before
        cpu_us = used_us / result.ok if used_us and result.ok else None
        return Sample(round=round_, target=target, workload=workload, cpu_us=cpu_us, result=result)

    def _used_us(self, target: str) -> float:
        if target == DIRECT:
            return 0.0
        process = self._processes[target]
        if process.poll() is not None:
            raise BenchError(self._story(target, "has ended"))
        return cpu_ns(process.pid) / 1000

    def _load(self, target: str, workload: str, seconds: float, *options: str) -> Result:
        key = _UPSTREAM_KEY if target == DIRECT else self._key
        command = [sys.executable, "-m", "scripts.bench.load", "--url", self._urls[target], "--key", key]
        command += ["--workload", workload, "--seconds", str(seconds), *options]
        with on_core(self._other_core):
            done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=seconds + 2 * GRACE_S, check=False)
        if done.returncode:
            raise BenchError(f"the load generator failed:\n{done.stderr.decode()}")
        return msgspec.json.decode(done.stdout, type=Result)

    @contextmanager
    def _gateway(self, target: str, key_file: Path) -> Iterator[subprocess.Popen[bytes]]:
        folder = self._folder / target
        folder.mkdir()
        site = Site(
            folder=folder,
            port=free_port(),
            admin_port=free_port(),
            upstream_url=self._urls[DIRECT],
            upstream_key=_UPSTREAM_KEY,
            key_file=key_file,
        )
        self._urls[target] = f"http://127.0.0.1:{site.port}"
        with _running(GATEWAYS[target].command(site), folder / "log", self._gateway_core) as process:
            yield process

    def _wait_until_ready(self, target: str) -> None:
        ends_at = time.monotonic() + READY_S
        while not (result := self._load(target, "L1", 1.0, "--requests", "1")).ok:
            if self._processes[target].poll() is not None or time.monotonic() > ends_at:
                raise BenchError(self._story(target, f"does not answer: {result.first_error}"))
            time.sleep(0.1)

    def _story(self, target: str, what: str) -> str:
        said = (self._folder / target / "log").read_text(errors="replace").splitlines()[-20:]
        return "\n".join([f"{target} {what}; it said:", *said])


@contextmanager
def _running(command: Sequence[str | Path], log: Path, core: int | None) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output, on_core(core):
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port_said(process: subprocess.Popen[bytes], log: Path) -> int:
    ends_at = time.monotonic() + READY_S
    while not (said := log.read_text(errors="replace")).endswith("\n"):
        if process.poll() is not None or time.monotonic() > ends_at:
            raise BenchError(f"the stand-in did not start:\n{said}")
        time.sleep(0.02)
    try:
        return int(said)
    except ValueError as exc:
        raise BenchError(f"the stand-in did not start:\n{said}") from exc


def _make_key(file: Path) -> str:
    command = [sys.executable, "-m", "llm_router", "keys", "create", "--file", str(file), "--name", "bench"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
