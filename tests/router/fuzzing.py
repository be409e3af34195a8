"""Very many inputs that nobody would send: whatever is made of them, nothing may fail in a way nobody thought of."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tests.router.fuzzing_listeners import bodies, heads
from tests.router.fuzzing_parsers import configurations, signatures, streams
from tests.router.spoiling import Failure

Fuzz = Callable[[random.Random, int], Iterator[Failure]]
SURFACES: Mapping[str, tuple[Fuzz, int]] = {
    "bodies": (bodies, 16),
    "heads": (heads, 6),
    "streams": (streams, 14),
    "signatures": (signatures, 10),
    "configurations": (configurations, 4),
}
"""How each is tried, and how many of fifty inputs it gets."""


class _Tracebacks(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Failure] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self.found.append(Failure(f"logged by {record.name}", logging.Formatter().format(record)))


@contextmanager
def tracebacks() -> Iterator[list[Failure]]:
    handler = _Tracebacks()
    logging.getLogger().addHandler(handler)
    try:
        yield handler.found
    finally:
        logging.getLogger().removeHandler(handler)


def failures(surface: str, inputs: int, seed: int) -> list[Failure]:
    """Answers of class 5xx, exceptions that are not the ones meant, and whatever is logged as an error."""
    with tracebacks() as logged:
        found = [*SURFACES[surface][0](random.Random(f"{surface} {seed}"), inputs)]
    return [*found, *logged]
