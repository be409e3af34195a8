"""The three stand-ins for tests: served by a real uvicorn in a thread, told what to do wrong, asked what they saw."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from llm_router.demo.standins import anthropic, gemini, openai
from llm_router.demo.standins.delivery import Pace
from llm_router.demo.standins.dialect import Dialect
from llm_router.demo.standins.serve import Server, Site


@dataclass(frozen=True)
class Standin:
    """One running stand-in. ``url`` has no version path; ``api_key`` is the only key that it accepts."""

    url: str
    api_key: str

    def fault(self, kind: str, **options: Any) -> None:
        """Adds a fault after those already waiting; the options are the fields of ``faults.Fault``."""
        self._control("POST", "fault", {"kind": kind, **options})

    def clear(self) -> None:
        """Takes back all faults and forgets all requests."""
        self.go_on()
        self._control("DELETE", "requests")

    def go_on(self) -> None:
        """Takes back all faults, also from those who are held up by one now."""
        self._control("DELETE", "fault")

    def requests(self) -> list[dict[str, Any]]:
        """What came so far, oldest first: ``delivery.Seen`` as JSON."""
        seen: list[dict[str, Any]] = self._control("GET", "requests")
        return seen

    def settled(self, *, deadline_s: float = 30.0) -> list[dict[str, Any]]:
        """The same, once none of them is still being answered."""
        ends_at = time.monotonic() + deadline_s
        while True:
            seen = self.requests()
            if all(request["duration_s"] is not None for request in seen):
                return seen
            assert time.monotonic() < ends_at, f"still being answered: {seen}"
            time.sleep(0.01)

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        with closing(HTTPConnection(urlsplit(self.url).netloc, timeout=30)) as connection:
            connection.request(method, f"/__standin__/{path}", None if body is None else json.dumps(body))
            answer = connection.getresponse()
            said = json.load(answer)
            assert answer.status == 200, said
            return said


@dataclass(frozen=True)
class Standins:
    openai: Standin
    anthropic: Standin
    gemini: Standin

    def clear(self) -> None:
        for standin in (self.openai, self.anthropic, self.gemini):
            standin.clear()


@contextmanager
def running_standins(pace: Pace | None = None, **dialects: Dialect) -> Iterator[Standins]:
    """All three on free ports, as fast as possible unless ``pace`` says otherwise. A dialect given by name (``openai=
    OpenAI(models=…)``) takes the place of the usual one; it must accept the usual key."""
    usual: dict[str, Dialect] = {
        "openai": openai.OpenAI(),
        "anthropic": anthropic.Anthropic(),
        "gemini": gemini.Gemini(),
    }
    usual |= dialects
    keys = {"openai": openai.KEY, "anthropic": anthropic.KEY, "gemini": gemini.KEY}
    with serving([Site(usual[name], keys[name]) for name in keys], pace) as served:
        yield Standins(**served)


@contextmanager
def serving(sites: Sequence[Site], pace: Pace | None = None) -> Iterator[dict[str, Standin]]:
    """Any stand-ins, by name."""
    ready = threading.Event()
    server = Server(sites, pace, ready=ready.set)
    thread = threading.Thread(target=server.serve_all, name="standins")
    thread.start()
    try:
        assert ready.wait(30), "the stand-ins did not start"
        yield {name: Standin(place.url, place.api_key) for name, place in server.places.items()}
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive(), "the stand-ins did not stop"
