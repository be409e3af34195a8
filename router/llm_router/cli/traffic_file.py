"""What a trace says about traffic: the mean request, and how many come a day."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import ConfigError, Problem

if TYPE_CHECKING:
    from ..pricing.breakeven import Traffic

_TIME = ("timestamp", "time", "settled_at")
_INPUT = ("input_tokens", "contexttokens", "prompt_tokens")
_OUTPUT = ("output_tokens", "generatedtokens", "completion_tokens")
SECONDS_PER_DAY = 86_400.0


def read_traffic(path: Path) -> Traffic:
    """The means over a trace: CSV with a header, or a JSON object a line, such as the ledger exports. Columns go by
    name, in any case and order; requests that got no answer (no generated tokens) are left out.

    Raises ``ConfigError`` with the line of the first thing that nobody could mean.
    """
    from ..pricing.breakeven import Traffic

    times: list[float] = []
    asked = answered = 0.0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line, record in _records(file):
                row = {name.strip().lower(): value for name, value in record.items() if name}
                came_at, generated = _seconds(path, line, row), _tokens(path, line, row, _OUTPUT)
                if generated > 0:
                    times.append(came_at)
                    asked += _tokens(path, line, row, _INPUT)
                    answered += generated
    except (OSError, UnicodeDecodeError, csv.Error, json.JSONDecodeError, AttributeError) as error:
        raise ConfigError([Problem("", f"is no trace in CSV or JSON lines: {error}", file=str(path))]) from error
    if not times:
        raise ConfigError([Problem("", "holds no answered requests: nothing can be reckoned from it", file=str(path))])
    span_s = max(times) - min(times)
    return Traffic(
        input_tokens=asked / len(times),
        output_tokens=answered / len(times),
        requests_per_day=len(times) / span_s * SECONDS_PER_DAY if span_s > 0 else None,
    )


def _records(file: TextIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    first = file.readline()
    file.seek(0)
    if first.lstrip().startswith("{"):
        yield from ((number, json.loads(line)) for number, line in enumerate(file, 1) if line.strip())
    else:
        reader = csv.DictReader(file)
        yield from ((reader.line_num, record) for record in reader)


def _seconds(path: Path, line: int, row: Mapping[str, Any]) -> float:
    text = _cell(path, line, row, _TIME)
    for read in (float, _iso_seconds):
        try:
            seconds = read(text)
        except ValueError:
            continue
        if math.isfinite(seconds):
            return seconds
    raise ConfigError([Problem("", f"{text!r} is no time: write ISO 8601 or Unix seconds", line=line, file=str(path))])


def _iso_seconds(text: str) -> float:
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _tokens(path: Path, line: int, row: Mapping[str, Any], names: tuple[str, ...]) -> float:
    text = _cell(path, line, row, names)
    try:
        tokens = float(text)
    except ValueError:
        tokens = -1.0
    if not 0 <= tokens <= 1e7:
        raise ConfigError([Problem("", f"{text!r} is no number of tokens", line=line, file=str(path))])
    return tokens


def _cell(path: Path, line: int, row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        if row.get(name) is not None:
            return str(row[name]).strip()
    raise ConfigError([Problem("", f"has no column {' or '.join(names)}", line=line, file=str(path))])
