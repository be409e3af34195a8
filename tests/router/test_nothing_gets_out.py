"""A router that logs all it can, asked in every way that goes wrong: neither the prompt nor a key is in what it logs,
measures, keeps and shows, nor in what it tells others than the caller."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from llm_router.admission.key_file import create
from tests.router.ports import free_port
from tests.router.processes import Process, answers
from tests.router.routers import providers
from tests.router.standins import Standins, running_standins

COMMAND = Path(sys.executable).with_name("llm-router")
PROMPT = "the quick canary sings of 4711 umbrellas"
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 400},
    {"kind": "context_overflow"},
    {"kind": "content_policy"},
    {"kind": "empty_200_error"},
    {"kind": "error_first_event"},
    {"kind": "reset"},
    {"kind": "silence", "seconds": 0.4},
    {"kind": "cut", "how": "reset"},
    {"kind": "malformed"},
)
SHOWN = (
    "/metrics",
    "/ai/providers",
    "/ai/providers/openai/health",
    "/ai/providers/openai/stats",
    "/ai/clusters",
    "/admin/decisions",
    "/admin/requests",
    "/admin/budgets",
    "/admin/savings",
    "/admin/ledger",
    "/admin/config",
)


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


@contextmanager
def serving(standins: Standins, folder: Path) -> Iterator[tuple[Process, httpx.Client, httpx.Client]]:
    """A router as a process, and who asks it with a key: its public listener, its other one."""
    key = create(folder / "keys.yaml", "alice")
    ports = free_port(), free_port()
    config = {
        "server": {"port": ports[0]},
        "admin": {"port": ports[1]},
        "access": {"apiKeysFile": "keys.yaml"},
        "ledger": {"url": "sqlite:///ledger.sqlite"},
        "externalProviders": providers(standins),
        "router": {
            "routingStrategy": "failover",
            "timeouts": {"firstToken": "1s", "betweenTokens": "1s"},
            "failover": {"circuitBreaker": {"failureThreshold": 1000}},
        },
    }
    (folder / "router.yaml").write_text(yaml.safe_dump(config))
    command: list[str | Path] = [COMMAND, "serve", "--config", folder / "router.yaml"]
    with Process(command, folder / "router.log", env={"LOG_LEVEL": "debug"}) as process:
        public, admin = (
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30.0, trust_env=False) for port in ports
        )
        with public, admin:
            public.headers["authorization"] = f"Bearer {key}"
            process.wait_until(lambda: answers(f"{public.base_url}/readyz"))
            yield process, public, admin


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "auto", "max_tokens": 12, "messages": [{"role": "user", "content": PROMPT}]} | fields


def mistakes() -> list[bytes | dict[str, Any]]:
    """Requests at fault, with the prompt somewhere in them."""
    return [
        b'{"model": "auto", "messages": [{"role": "user", "content": "' + PROMPT.encode(),
        chat(messages=PROMPT),
        chat(messages=[{"role": "user", "content": [PROMPT]}]),
        chat(tools=PROMPT),
        chat(max_tokens=PROMPT),
        chat(response_format={"type": "json_schema", "json_schema": PROMPT}),
    ]


def test_neither_prompts_nor_keys_are_in_logs_metrics_records_or_errors(standins: Standins, tmp_path: Path) -> None:
    """The keys are what the scan of the whole suite looks for, in all that follows."""
    with serving(standins, tmp_path) as (process, public, admin):
        for mistake in mistakes():
            raw = mistake if isinstance(mistake, bytes) else httpx.Request("POST", "http://x", json=mistake).read()
            refused = public.post("/v1/chat/completions", content=raw, headers={"content-type": "application/json"})
            assert refused.status_code in (400, 503), refused.text
            assert PROMPT not in refused.text
        for fault in FAULTS:
            for stream in (False, True):
                standins.openai.fault(times=1, **fault)
                answer = public.post("/v1/chat/completions", json=chat(stream=stream))
                if answer.status_code != 200:
                    assert PROMPT not in answer.text
        assert {seen["fault"] for seen in standins.openai.requests()} >= {fault["kind"] for fault in FAULTS}
        for name, status in {"anthropic": 401, "gemini": 429}.items():  # whoever says so is left alone from then on
            getattr(standins, name).fault("status", status=status)
            answer = public.post("/v1/chat/completions", json=chat(), headers={"x-llm-target": name})
            assert answer.status_code == {401: 502, 429: 429}[status]
            assert PROMPT not in answer.text
        assert public.post("/v1/route", json=chat()).status_code == 200
        shown = {path: admin.get(path) for path in SHOWN}
        assert {path: answer.status_code for path, answer in shown.items()} == dict.fromkeys(SHOWN, 200)
        assert len(shown["/admin/requests"].json()) >= len(FAULTS)
        for path, answer in shown.items():
            assert PROMPT not in answer.text, path
    assert PROMPT not in process.output
    assert process.output, "it logs something"
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as ledger:
        kept = "\n".join(ledger.iterdump())
    assert "alice" in kept
    assert PROMPT not in kept
