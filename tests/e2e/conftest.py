"""One running demo for all end-to-end tests: the real command, its real processes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from llm_router.demo.models import Models
from llm_router.demo.models import tiny_models as make_tiny_models
from tests.router.ports import free_port
from tests.router.processes import Process, answers

LLM_ROUTER = Path(sys.executable).with_name("llm-router")


@dataclass(frozen=True)
class Demo:
    """A demo that keeps serving after its show; ``folder`` holds the files that it made."""

    url: str
    admin_url: str
    control_url: str
    process: Process
    folder: Path


@pytest.fixture(scope="session")
def tiny_models() -> Models:
    return make_tiny_models(print)


@pytest.fixture(scope="package")
def demo(tiny_models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    port, admin_port, control_port = free_port(), free_port(), free_port()
    ports = ["--port", str(port), "--admin-port", str(admin_port), "--control-port", str(control_port)]
    folder = tmp_path_factory.mktemp("demo")
    with Process([LLM_ROUTER, "demo", *ports], folder / "demo.log", env={"TMPDIR": str(folder)}) as process:
        control_url = f"http://127.0.0.1:{control_port}"
        process.wait_until(lambda: answers(f"{control_url}/clusters"), deadline_s=90)
        yield Demo(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin_port}", control_url, process, folder)
        process.send(signal.SIGINT)
        assert process.wait() == 0, process.output
