"""Reads traces: CSV with a header, or the JSON lines of our own ledger, either of them compressed (``.gz``) or not.

Columns go by name, in any order and case; others are passed over. Times are Unix seconds or ISO 8601, one without a
zone is in UTC.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import statistics
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

from ..errors import ConfigError, Problem
from .trace import Request, Trace, trace_of

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "time": ("timestamp", "time", "at", "settled_at", "arrived_at", "created_at"),
    "input": ("input_tokens", "contexttokens", "prompt_tokens", "num_prefill_tokens"),
    "output": ("output_tokens", "generatedtokens", "completion_tokens", "num_decode_tokens"),
    "model": ("requested_model", "model"),
    "cache_read": ("cache_read_tokens",),
    "cache_write": ("cache_write_tokens",),
}
_NEEDED = ("time", "input", "output")

MAX_TOKENS = 10_000_000
"""More is a mistake in the file: no model reads or writes that much."""
MILLISECONDS_FROM = 1e11
"""As Unix seconds this is the year 5138."""
MAX_SPAN_S = 3 * 366 * 86_400.0
"""Beyond this the times of a file are in several units, or one of them is wrong."""
SHOWN_PROBLEMS = 20
HOLE_S = 600.0
HOLE_SHARE = 0.2
"""A pause that is longer than both, the latter of the trace's span, is worth a note: something may be missing."""


def read_trace(path: Path) -> Trace:
    """The trace in a file. Empty cells of tokens become the median of the others, requests that were not answered (no
    output tokens) are left out, rows out of order are sorted: ``notes`` says each.

    Raises ``ConfigError`` with file and line for what nobody could mean.
    """
    rows = _Rows(str(path))
    try:
        with _opened(path) as file:
            first = file.readline()
            if not first:
                raise rows.useless("is empty")
            file.seek(0)
            records = _json_lines(file, rows) if first.lstrip().startswith("{") else _csv_lines(file, rows)
            for line, record in records:
                rows.add(line, record)
    except OSError as error:
        raise ConfigError([Problem("", f"cannot be read: {error.strerror}", file=str(path))]) from error
    except (UnicodeDecodeError, csv.Error, EOFError, zlib.error) as error:
        raise ConfigError([Problem("", f"is neither CSV nor JSON lines: {error}", file=str(path))]) from error
    return rows.trace()


@dataclass(frozen=True)
class _Row:
    at_s: float
    input_tokens: int | None
    output_tokens: int | None
    model: str


@dataclass
class _Rows:
    """A file's rows, and what is wrong with them."""

    file: str
    rows: list[_Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, line: int, record: Mapping[str, Any]) -> None:
        try:
            at_s = _time(record["time"])
            asked, answered = _tokens("input", record["input"]), _tokens("output", record["output"])
            cached = [_tokens(name, record.get(name)) or 0 for name in ("cache_read", "cache_write")]
        except ValueError as error:
            self.wrong(line, str(error))
            return
        model = record.get("model")
        self.rows.append(
            _Row(
                at_s, None if asked is None else asked + sum(cached), answered, model if isinstance(model, str) else ""
            )
        )

    def wrong(self, line: int, message: str) -> None:
        self.problems.append(Problem("", message, line, self.file))
        if len(self.problems) == SHOWN_PROBLEMS:
            raise ConfigError([*self.problems, Problem("", "only the first problems are shown", file=self.file)])

    def trace(self) -> Trace:
        if self.problems:
            raise ConfigError(self.problems)
        answered = [row for row in self.rows if row.output_tokens != 0]
        if not answered:
            raise self.useless("holds no request that was answered")
        requests, notes = self._filled(answered)
        if len(answered) < len(self.rows):
            notes.append(f"{len(self.rows) - len(answered)} requests without an answer are left out")
        if any(later.at_s < earlier.at_s for earlier, later in pairwise(requests)):
            notes.append("rows were not in order of time: sorted")
        trace = trace_of(requests, notes)
        if trace.span_s > MAX_SPAN_S:
            raise self.useless(f"spans {trace.span_s / 86_400:.0f} days: times in several units, or a wrong one")
        return Trace(trace.requests, (*trace.notes, *_holes(trace)))

    def _filled(self, rows: Sequence[_Row]) -> tuple[list[Request], list[str]]:
        notes = []
        usual = {}
        for name in ("input_tokens", "output_tokens"):
            known = [value for row in rows if (value := getattr(row, name)) is not None]
            if not known:
                raise self.useless(f"says of no request how many {name} it had")
            usual[name] = max(1, round(statistics.median(known)))
            if len(known) < len(rows):
                notes.append(f"{len(rows) - len(known)} empty {name} taken as the median, {usual[name]}")
        requests = [
            Request(
                row.at_s,
                max(1, usual["input_tokens"] if row.input_tokens is None else row.input_tokens),
                usual["output_tokens"] if row.output_tokens is None else row.output_tokens,
                row.model,
            )
            for row in rows
        ]
        return requests, notes

    def useless(self, message: str) -> ConfigError:
        return ConfigError([Problem("", message, file=self.file)])


def _holes(trace: Trace) -> Iterator[str]:
    for earlier, later in pairwise(trace.requests):
        pause_s = later.at_s - earlier.at_s
        if pause_s > max(HOLE_S, HOLE_SHARE * trace.span_s):
            yield f"nothing arrives for {pause_s / 60:.0f} minutes from {earlier.at_s:.0f} s on: is a part missing?"


# ---------------------------------------------------------------- lines and cells


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _csv_lines(file: TextIO, rows: _Rows) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.reader(file)
    header = next(reader, [])
    columns = _columns(header, rows, 1)
    for row in reader:
        if len(row) == len(header):
            yield reader.line_num, {name: row[header.index(column)] for name, column in columns.items()}
        elif row:
            rows.wrong(reader.line_num, f"has {len(row)} columns, the header {len(header)}")


def _json_lines(file: TextIO, rows: _Rows) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for line, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except ValueError:
            rows.wrong(line, "is not JSON, or cut off")
            continue
        if not isinstance(record, dict):
            rows.wrong(line, "is not a JSON object")
            continue
        usage = record.get("usage")
        flat = record | usage if isinstance(usage, dict) else record
        yield line, {name: flat[key] for name, key in _columns(list(flat), rows, line).items()}


def _columns(names: Sequence[str], rows: _Rows, line: int) -> dict[str, str]:
    """What we call it → what the file calls it. Raises ``ConfigError`` where a needed one is not there."""
    plain = {name.strip().lower(): name for name in names}
    columns = {ours: next((plain[name] for name in known if name in plain), None) for ours, known in _COLUMNS.items()}
    if "target" in plain and columns["model"] == plain.get("model"):
        columns["model"] = None  # a ledger's: the model that answered, whatever was asked for
    missing = [f"one of {', '.join(_COLUMNS[ours])}" for ours in _NEEDED if columns[ours] is None]
    if missing and len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise ConfigError([Problem("", "has one column: commas separate them", line, rows.file)])
    if missing:
        raise ConfigError([Problem("", f"has no column of this kind: {'; '.join(missing)}", line, rows.file)])
    return {ours: name for ours, name in columns.items() if name is not None}


def _time(cell: Any) -> float:
    try:
        seconds = float(cell)
    except (TypeError, ValueError):
        return _iso_time(str(cell))
    if not math.isfinite(seconds):
        raise ValueError(f"{cell!r} is no time")
    if abs(seconds) >= MILLISECONDS_FROM:
        raise ValueError(f"{cell!r} looks like milliseconds: times are Unix seconds, or ISO 8601")
    return seconds


def _iso_time(cell: str) -> float:
    try:
        moment = datetime.fromisoformat(cell.strip())
    except ValueError:
        raise ValueError(f"{cell!r} is no time: Unix seconds or ISO 8601 are") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _tokens(name: str, cell: Any) -> int | None:
    """``None`` for an empty cell."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    try:
        count = float(cell)
    except (TypeError, ValueError):
        raise ValueError(f"{name} tokens: {cell!r} is no number") from None
    if not 0 <= count <= MAX_TOKENS or count != int(count):
        raise ValueError(f"{name} tokens: {cell!r} is no count between 0 and {MAX_TOKENS}")
    return int(count)
