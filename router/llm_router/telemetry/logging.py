"""Logs as JSON lines on standard error: UTC, one object a line, nothing secret in them."""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime

import msgspec

SECRETS = re.compile(
    r"(sk-(?:ant-)?|llmr_|AIza|Bearer\s+|key=)[A-Za-z0-9._~+/=-]{6,}|-----BEGIN [A-Z ]+-----[\s\S]*?(?:-----END|$)"
)
QUIET = ("httpx", "httpcore", "aiohttp", "asyncio", "uvicorn.error", "botocore", "urllib3", "google.auth")
"""Libraries that print whole URLs, every connection, or what they sign, below warnings."""


def redact(text: str) -> str:
    """``text`` with everything that looks like a credential masked."""
    return SECRETS.sub(lambda found: (found.group(1) or "") + "***", text)


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return msgspec.json.encode(line).decode()


def configure_logging(level: str) -> None:
    """Send everything from ``level`` on to standard error. Raises ``ValueError`` for an unknown level."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
