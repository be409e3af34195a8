"""Spoilt inputs to listeners and parsers."""

from __future__ import annotations

from tests.router.fuzzing import SURFACES, failures


def p25_fuzzed(inputs: int) -> str:
    share = inputs // sum(parts for _, parts in SURFACES.values())
    tried = {surface: share * parts for surface, (_, parts) in SURFACES.items()}
    failed = sum(len(failures(surface, count, seed=25)) for surface, count in tried.items())
    listed = ", ".join(f"{count} {surface}" for surface, count in tried.items())
    return f"{failed} answers 5xx or unforeseen exceptions of {sum(tried.values())} inputs: {listed}"
