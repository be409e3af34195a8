"""What is wrong with a file, as the error that says so."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import ConfigError, Problem
from .findings import Finding
from .yaml_nodes import Document

MAX_PROBLEMS = 100


def refused(document: Document, findings: Iterable[Finding]) -> ConfigError:
    """All findings, ordered by line; beyond ``MAX_PROBLEMS`` they are counted."""
    problems = sorted((document.problem(*f) for f in findings), key=lambda p: p.line)
    if len(problems) > MAX_PROBLEMS:
        more = Problem("", f"and {len(problems) - MAX_PROBLEMS} more problems", 0, document.file)
        problems = [*problems[:MAX_PROBLEMS], more]
    return ConfigError(problems)
