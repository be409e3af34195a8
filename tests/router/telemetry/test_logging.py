"""Logs are JSON lines, and nothing in them is a credential."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from llm_router.telemetry.logging import JsonFormatter, redact


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop",
        "sk-ant-api03-abcdefghijkl",
        "llmr_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
        "AIzaSyA-1234567890abcdefg",
        "Bearer eyJhbGciOi.abc.def",
        "https://x.example/v1?key=0123456789abcdef",
        "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----",
    ],
)
def test_credentials_are_masked(secret: str) -> None:
    shown = redact(f"before {secret} after")
    assert "***" in shown
    assert secret not in shown
    for part in ("abcdefghij", "1234567890", "eyJ", "MIIabc", "0123456789"):
        assert part not in shown


def test_a_line_is_one_json_object_whatever_the_message() -> None:
    try:
        raise ValueError("with sk-abcdefghijkl")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "two\nlines %s", ("\r\nX: y",), sys.exc_info())
    line = JsonFormatter().format(record)
    assert "\n" not in line
    parsed = json.loads(line)
    assert parsed["level"] == "error"
    assert parsed["message"] == "two\nlines \r\nX: y"
    assert "sk-abcdefghijkl" not in line
