"""The machine that is measured on: its cores, the CPU time of a process, free ports, and what it says of itself."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

LIBRARIES = ("uvicorn", "uvloop", "httptools", "starlette", "aiohttp", "httpx", "msgspec", "prometheus-client")


def cpu_ns(pid: int) -> int:
    """User and system time of a process and its living children, in nanoseconds: ``/proc/PID/stat`` knows only
    hundredths of a second."""
    pids = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return sum(process_cpu_ns(pid) for pid in pids)


def process_cpu_ns(pid: int) -> int:
    """The same of one process alone, in about a microsecond."""
    return time.clock_gettime_ns(_cpu_clock(pid))


def _cpu_clock(pid: int) -> int:
    """What clock_getcpuclockid(3) makes of a process on Linux; Python offers it for threads only."""
    cpuclock_sched = 2
    return (~pid << 3) | cpuclock_sched


def two_cores() -> tuple[int | None, int | None]:
    """A core for the gateway and one for everything else; none to choose where this process may use one only."""
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0], cores[1]) if len(cores) > 1 else (None, None)


@contextlib.contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What is started inside runs on ``core``, from its first instruction on."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def describe() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load_average": round(os.getloadavg()[0], 2),
        "versions": {"nginx": _nginx_version(), **{name: version(name) for name in LIBRARIES}},
    }


def _cpu_model() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def nginx_program() -> str | None:
    """Debian puts it where the PATH of most users does not lead."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")


def _nginx_version() -> str:
    program = nginx_program()
    if program is None:
        return "none"
    return subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr.strip().rpartition("/")[2]
