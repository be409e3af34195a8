"""A real toxiproxy: connections to one upstream go through it, and a test says what is done to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.router.discovery.kube_server import tool
from tests.router.ports import free_port
from tests.router.processes import Process, answers


@dataclass(frozen=True)
class Toxiproxy:
    """``url`` leads to the upstream, through whatever ``poison`` puts in the way."""

    url: str
    api: httpx.Client
    way: dict[str, object]

    def poison(self, kind: str, *, to_the_upstream: bool = False, **attributes: int) -> None:
        """One of toxiproxy's toxics for all connections, those that are open too."""
        stream = "upstream" if to_the_upstream else "downstream"
        toxic = {"name": kind, "type": kind, "stream": stream, "toxicity": 1.0, "attributes": attributes}
        self.api.post("/proxies/way/toxics", json=toxic).raise_for_status()

    def close(self) -> None:
        """Nobody listens any more."""
        self.api.post("/proxies/way", json={"enabled": False}).raise_for_status()

    def heal(self) -> None:
        """A new way in the old one's place: a toxic is only taken back once all that it holds has passed."""
        self.api.delete("/proxies/way").raise_for_status()
        self.api.post("/proxies", json=self.way).raise_for_status()


@contextmanager
def running_toxiproxy(folder: Path, upstream: str) -> Iterator[Toxiproxy]:
    port, listen = free_port(), f"127.0.0.1:{free_port()}"
    command: list[str | Path] = [tool("toxiproxy-server"), "-host", "127.0.0.1", "-port", str(port)]
    with (
        Process(command, folder / "toxiproxy.log", {"LOG_LEVEL": "error"}) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30.0, trust_env=False) as api,
    ):
        process.wait_until(lambda: answers(f"http://127.0.0.1:{port}/version"))
        way = {"name": "way", "listen": listen, "upstream": urlsplit(upstream).netloc, "enabled": True}
        api.post("/proxies", json=way).raise_for_status()
        yield Toxiproxy(f"http://{listen}", api, way)
