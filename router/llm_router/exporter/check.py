"""What the types alone do not catch in ``exporter.yaml``."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ..api.serving import parse_address
from ..config.hosts import is_loopback
from ..errors import ConfigError, Problem
from .config import ExporterConfig
from .prices.check import problems as price_problems


def check(config: ExporterConfig) -> None:
    """Raises ``ConfigError`` with everything that is wrong."""
    problems = [*_listen(config), *_upstreams(config), *price_problems(config.price)]
    if problems:
        raise ConfigError(problems)


def _listen(config: ExporterConfig) -> Iterator[Problem]:
    try:
        host, _ = parse_address(config.listen)
    except ValueError as error:
        yield Problem("listen", str(error))
        return
    if not is_loopback(host):
        yield Problem("listen", "must be a loopback address: what is told here is unsigned, the gate passes it on")


def _upstreams(config: ExporterConfig) -> Iterator[Problem]:
    for index, upstream in enumerate(config.upstreams):
        parts = urlsplit(upstream.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            message = "must be an http:// or https:// URL without credentials, like http://127.0.0.1:8081"
            yield Problem(f"upstreams[{index}].url", message)
