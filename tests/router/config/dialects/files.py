"""The fixtures of the dialects, what they expect, and the environment in which they are loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from llm_router.config.load import Loaded, load
from llm_router.errors import ConfigError, Problem
from tests.router.config.environment import ENV as ENVIRONMENT

FILES = Path(__file__).parents[2] / "fixtures" / "dialects"
VALID = sorted(FILES.glob("*/valid/*.yaml"))
INVALID = sorted(FILES.glob("*/invalid/*.yaml"))
ENV = {
    **ENVIRONMENT,
    "ON_PREM_TOKEN": "on-prem-0a1b2c3d4e5f6g7h",
    "EU_WEST_TOKEN": "eu-west-0a1b2c3d4e5f6g7h",
    "EDGE_KEY": "edge-0a1b2c3d4e5f6g7h",
    "LOCAL_KEY": "local-0a1b2c3d4e5f6g7h",
    "GROQ_API_KEY": "gsk-0a1b2c3d4e5f6g7h",
    "REDIS_PASSWORD": "redis-0a1b2c3d4e5f6g7h",
    "LITELLM_MASTER_KEY": "sk-0a1b2c3d4e5f6g7h",
}


def name_of(file: Path) -> str:
    return f"{file.parts[-3]}-{file.stem}"


def expected(file: Path, mark: str) -> dict[tuple[int, str], str]:
    """``#! path | text`` on the line of a problem, ``#? path | text`` on that of a warning."""
    found = {}
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        for path, text in re.findall(rf"#{re.escape(mark)} (\S*) ?\| (.*?)(?= #[!?]|$)", line):
            found[number, path] = text
    return found


def told(problems: Iterable[Problem]) -> dict[tuple[int, str], str]:
    return {(p.line, p.path): p.message for p in problems}


def load_available(file: Path) -> Loaded:
    """Skips what is refused for nothing but that it is not yet available."""
    try:
        return load(str(file), ENV)
    except ConfigError as error:
        if all("not yet available" in p.message for p in error.problems):
            pytest.skip(str(error.problems[0]))
        raise
