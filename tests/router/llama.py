"""A real llama.cpp server for tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.router.ports import free_port
from tests.router.processes import Process, answers

LLAMA_KEY = "llama-key-for-tests"


@dataclass(frozen=True)
class Llama:
    """A running server, without a slash at the end of ``url``; all paths but ``/health`` require the API key."""

    url: str
    api_key: str
    model: str
    process: Process


@contextmanager
def running_llama(
    gguf: Path,
    log: Path,
    *,
    model: str = "tiny",
    slots: int = 4,
    slot_tokens: int = 2048,
    embeddings: bool = False,
    port: int | None = None,
) -> Iterator[Llama]:
    """Serves ``gguf`` as ``model`` until the context ends, on a free port unless one is given; its output goes to
    ``log``."""
    port, api_key = port or free_port(), LLAMA_KEY
    size = ["--parallel", str(slots), "--ctx-size", str(slots * slot_tokens)]
    options = ["--model", str(gguf), "--port", str(port), "--alias", model, *size, "--end-with-parent"]
    options += ["--embeddings"] if embeddings else []
    command = [sys.executable, "-m", "llm_router.demo.engine", *options]
    with Process(command, log, env={"LLAMA_API_KEY": api_key}) as process:
        url = f"http://127.0.0.1:{port}"
        process.wait_until(lambda: answers(f"{url}/health"))
        yield Llama(url=url, api_key=api_key, model=model, process=process)
