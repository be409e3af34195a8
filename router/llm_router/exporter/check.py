"""What the types alone do not catch in ``exporter.yaml``."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from urllib.parse import urlsplit

from ..api.serving import parse_address
from ..api.signed_config import authority_problems, key_problems, tls_problems
from ..config.checks.listeners import unasked_token
from ..config.hosts import api_server_fault, is_loopback
from ..errors import ConfigError, Problem
from ..upstream.signing import decode_secret
from .config import ExporterConfig, GateAccess
from .prices.check import problems as price_problems


def check(config: ExporterConfig) -> None:
    """Raises ``ConfigError`` with everything that is wrong."""
    problems = [*_listen(config), *_status(config), *_upstreams(config), *price_problems(config.price)]
    if problems:
        raise ConfigError(problems)


def _listen(config: ExporterConfig) -> Iterator[Problem]:
    host = yield from _host("listen", config.listen)
    if host is not None and not is_loopback(host):
        message = "must be a loopback address: what is told here is unsigned. For others there are metrics and status"
        yield Problem("listen", message)
    if config.metrics is not None:
        yield from _host("metrics", config.metrics)
    if unasked := unasked_token(config.metrics, config.metrics_token):
        yield Problem("metricsToken", unasked)


def _status(config: ExporterConfig) -> Iterator[Problem]:
    if config.status is not None:
        yield from _host("status.listen", config.status.listen)
        yield from authority_problems(config.status.authority, "status.")
        yield from key_problems(config.status.keys, "status.")
        yield from tls_problems(config.status.tls, "status.")


def _host(path: str, address: str) -> Generator[Problem, None, str | None]:
    try:
        return parse_address(address)[0]
    except ValueError as error:
        yield Problem(path, str(error))
        return None


def _upstreams(config: ExporterConfig) -> Iterator[Problem]:
    service = None if config.kubernetes is None else config.kubernetes.service
    if bool(config.upstreams) is bool(service):
        yield Problem("upstreams", "list the pool's llama-servers here, or name their Service in kubernetes.service")
    if config.kubernetes is not None:
        yield from _gate("kubernetes.", config.kubernetes.gate, config.kubernetes.api_key)
        yield from _api_server(config.kubernetes.api_server)
    for index, upstream in enumerate(config.upstreams):
        parts = urlsplit(upstream.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            message = "must be an http:// or https:// URL without credentials, like http://127.0.0.1:8081"
            yield Problem(f"upstreams[{index}].url", message)
        elif upstream.dns and parts.scheme == "https":
            message = "with dns it must be http://: a certificate is for a name, and these are asked by address"
            yield Problem(f"upstreams[{index}].url", message)
        yield from _gate(f"upstreams[{index}].", upstream.gate, upstream.api_key)


def _api_server(url: str | None) -> Iterator[Problem]:
    fault = None if url is None else api_server_fault(url)
    if fault is not None:
        yield Problem("kubernetes.apiServer", fault)


def _gate(section: str, gate: GateAccess | None, api_key: str | None) -> Iterator[Problem]:
    if gate is None:
        return
    if api_key is not None:
        yield Problem(f"{section}apiKey", "a gate has llama-server's key itself: leave it out")
    yield from authority_problems(gate.authority, f"{section}gate.")
    try:
        decode_secret(gate.secret)
    except ValueError as error:
        yield Problem(f"{section}gate.secret", str(error))
