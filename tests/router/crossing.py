"""Who sees whose credentials: all that leaves a router while it works, while targets and callers err, and while its
operator looks around, searched for secrets of those whom it is not for."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import yaml

from llm_router.admission.key_file import create
from llm_router.telemetry.logging import QUIET
from tests.router.edge import in_thread
from tests.router.routers import MODELS, Running, providers, running_router
from tests.router.standins import Standins
from tests.router.tap import Tap, tapped

GATE_SECRET = base64.b64encode(b"the key of a gate, and 32 bytes.").decode()
PROMPT = "canary-prompt-7f3a"
CALLER = "caller"
ADMIN = (
    *("/metrics", "/health", "/ai/providers", "/ai/clusters", "/ai/providers/openai/stats"),
    *(f"/admin/{page}" for page in ("decisions", "config", "requests", "savings", "ledger", "budgets")),
)
ERRORS = (400, 401, 403, 404, 429, 500, 503)


@dataclass
class Seen:
    """What each place saw: targets by name, callers, the operator, the log."""

    bytes_by: dict[str, bytearray] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    """By owner. What callers say is a secret, too, but for targets and callers."""

    def add(self, place: str, data: bytes) -> None:
        self.bytes_by.setdefault(place, bytearray()).extend(data + b"\n")

    def crossed(self) -> list[str]:
        """``SECRET of OWNER at PLACE``, never the secret itself."""
        return [
            f"that of {owner} at {place}"
            for owner, secret in self.secrets.items()
            for place, data in self.bytes_by.items()
            if place != owner and not (owner == "prompt" and place not in ("log", "operator"))
            if any(form in data for form in forms(secret))
        ]

    def own(self, owner: str) -> bool:
        """Whether its owner saw it: that this finds what there is."""
        return any(form in self.bytes_by[owner] for form in forms(self.secrets[owner]))


def forms(secret: str) -> list[bytes]:
    plain = secret.encode()
    return [plain, base64.b64encode(plain).rstrip(b"="), quote(secret, safe="").encode(), plain.hex().encode()]


class _Log(logging.Handler):
    def __init__(self, seen: Seen) -> None:
        super().__init__(logging.DEBUG)
        self._seen, self._format = seen, logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        self._seen.add("log", self._format.format(record).encode(errors="replace"))


@contextmanager
def all_that_is_logged(seen: Seen) -> Iterator[None]:
    """With ``LOG_LEVEL=debug``, before anything is masked. The stand-ins are no part of the router."""
    handler, root = _Log(seen), logging.getLogger()
    handler.addFilter(lambda record: not record.name.startswith("llm_router.demo"))
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in ("", *QUIET)]
    for logger, _ in before:
        logger.setLevel(logging.DEBUG if logger is root else logging.WARNING)
    root.addHandler(handler)
    logging.getLogger("llm_router.crossing").debug("what is logged is seen")
    try:
        yield
    finally:
        root.removeHandler(handler)
        for logger, level in before:
            logger.setLevel(level)


def watched(standins: Standins, folder: Path, rounds: int) -> Seen:
    seen, targets = Seen(), [getattr(standins, name) for name in MODELS]
    urls = [*(target.url for target in targets), standins.openai.url, standins.openai.url]
    with in_thread(tapped(*urls)) as taps, all_that_is_logged(seen):
        names = (*MODELS, "in-house", "gated")
        seen.secrets = {name: getattr(standins, name).api_key for name in MODELS}
        seen.secrets |= {"in-house": "bearer-canary-of-the-house", "gated": GATE_SECRET, "prompt": PROMPT}
        seen.secrets[CALLER] = create(folder / "keys.yaml", CALLER)
        for status in (None, *ERRORS) * rounds:  # a router for each: who erred once is left alone
            with running_router(configured(standins, taps, folder)) as router:
                for tap in taps:
                    tap.tells = status
                callers_ask(router, seen, (*names, None))
                callers_err(router, seen)
                operator_looks(router, seen)
        for name, tap in zip(names, taps, strict=True):
            seen.add(name, bytes(tap.sent))
    return seen


def configured(standins: Standins, taps: list[Tap], folder: Path) -> dict[str, Any]:
    accounts = [
        provider | {"baseUrl": tap.url} for provider, tap in zip(providers(standins), taps[: len(MODELS)], strict=True)
    ]
    cluster = {"type": "openai", "models": [{"name": MODELS["openai"]}], "costPer1kTokens": 0.002}
    bearer = {"name": "in-house", "endpoint": taps[3].url, "authType": "bearer", "apiKey": "bearer-canary-of-the-house"}
    signed = {"name": "gated", "endpoint": taps[4].url, "sharedSecret": GATE_SECRET, "type": "llama.cpp"}
    return {
        "access": {"apiKeysFile": str(folder / "keys.yaml")},
        "clusters": [cluster | bearer, cluster | signed],
        "externalProviders": accounts,
    }


def ask(router: Running, seen: Seen, path: str = "/v1/chat/completions", key: str | None = None, **fields: Any) -> None:
    headers = {"authorization": f"Bearer {key or seen.secrets[CALLER]}"} | fields.pop("headers", {})
    body = {"model": "auto", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 8} | fields
    keep(seen, CALLER, router.client.post(path, json=body, headers=headers))


def callers_ask(router: Running, seen: Seen, targets: Iterable[str | None]) -> None:
    for name in targets:
        ask(router, seen, stream=name == "openai", headers={} if name is None else {"x-llm-target": name})


def callers_err(router: Running, seen: Seen) -> None:
    ask(router, seen, key="llmr_" + "x" * 49)
    ask(router, seen, key=seen.secrets["openai"][::-1])
    ask(router, seen, model=seen.secrets[CALLER][::-1])
    ask(router, seen, temperature="hot")
    ask(router, seen, "/v1/route")
    for path in ("/v1/models", "/health", "/v1/messages"):
        keep(seen, CALLER, router.client.get(path, headers={"x-api-key": seen.secrets[CALLER]}))


def operator_looks(router: Running, seen: Seen) -> None:
    for path in ADMIN:
        keep(seen, "operator", router.admin.get(path))
    right = yaml.safe_dump(router.config)
    for wrong in ({"externalProviders": "none"}, {"misspelt": GATE_SECRET}, {"state": {"password": GATE_SECRET}}, {}):
        router.config |= wrong
        keep(seen, "operator", router.admin.post("/admin/reload"))
        router.config.clear()
        router.config |= yaml.safe_load(right)


def keep(seen: Seen, place: str, answer: httpx.Response) -> None:
    heads = b"".join(name + b": " + value + b"\n" for name, value in answer.headers.raw)
    seen.add(place, heads + answer.content)


def sizes(seen: Seen) -> Mapping[str, int]:
    return {place: len(data) for place, data in seen.bytes_by.items()}
