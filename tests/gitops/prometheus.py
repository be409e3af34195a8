"""A real Prometheus, Debian's, over listeners of this machine. That build knows no Kubernetes: targets are named."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.router.ports import free_port
from tests.router.processes import Process, answers


@dataclass(frozen=True)
class Prometheus:
    url: str
    process: Process

    def value(self, query: str) -> float | None:
        """Of a query with one sample, as it stands now."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, trust_env=False).json()
        found = answer["data"]["result"]
        return float(found[0]["value"][1]) if found else None


@contextmanager
def running_prometheus(folder: Path, jobs: list[dict[str, Any]]) -> Iterator[Prometheus]:
    """Scrapes each second what ``jobs`` say, in the form of its file's ``scrape_configs``."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.fail("there is no prometheus: sudo apt-get install prometheus")
    folder.mkdir()
    file, port = folder / "prometheus.yml", free_port()
    file.write_text(
        yaml.safe_dump({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs})
    )
    url = f"http://127.0.0.1:{port}"
    command = [program, f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"]
    with Process([*command, f"--web.listen-address=127.0.0.1:{port}"], folder / "prometheus.log") as process:
        process.wait_until(lambda: answers(f"{url}/-/ready"))
        yield Prometheus(url, process)
