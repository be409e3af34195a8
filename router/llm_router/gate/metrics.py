"""The gate's metrics, each name once, on a registry of their own."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, generate_latest
from starlette.types import ASGIApp, Receive, Scope, Send

from ..api.guard import Guard
from ..api.scrapes import PATH, judge_scrape

TEXT_FORMAT = b"text/plain; version=0.0.4; charset=utf-8"


class GateMetrics:
    """``result`` is ``forwarded``, ``answered`` (by the gate itself), ``rejected``, ``not_ready``, ``upstream_failed``
    or ``client_gone``; ``reason`` says why a request was rejected, which its sender is not told."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._requests = Counter("llm_gate_requests_total", "Requests by result.", ("result",), registry=registry)
        self._rejected = Counter("llm_gate_rejected_total", "Rejected requests.", ("reason",), registry=registry)
        self._forwarded = self._requests.labels("forwarded")

    def ended(self, result: str) -> None:
        (self._forwarded if result == "forwarded" else self._requests.labels(result)).inc()

    def rejected(self, reason: str) -> None:
        self._rejected.labels(reason).inc()
        self.ended("rejected")


def metrics_app(registry: CollectorRegistry, ready: Callable[[], bool], token: str | None) -> ASGIApp:
    """Answers ``GET`` of ``/metrics`` with the registry's metrics, of ``/livez`` and ``/readyz`` as the signed listener
    does, for probes that have no client certificate; everything else with 404. With ``token`` the metrics are for those
    who send it."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        status, body = _answer(scope, registry, ready)
        headers = [(b"content-type", TEXT_FORMAT), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return Guard(app, judge=judge_scrape(token))


def _answer(scope: Scope, registry: CollectorRegistry, ready: Callable[[], bool]) -> tuple[int, bytes]:
    asked = scope["path"] if scope["method"] in ("GET", "HEAD") else ""
    if asked == PATH:
        return 200, generate_latest(registry)
    if asked == "/livez":
        return 200, b"alive\n"
    if asked == "/readyz":
        return (200, b"ready\n") if ready() else (503, b"not ready\n")
    return 404, b"not found\n"
