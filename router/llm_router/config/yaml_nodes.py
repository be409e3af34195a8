"""YAML text → plain data, and the line that each value stands on.

Strict where YAML surprises: text stays text unless it is plainly a number, ``true``, ``false`` or ``null`` (YAML 1.2's
core schema: no ``yes``, ``on``, ``12:30`` or dates), keys are always text, a key may stand once, tags have no meaning.
Bounded where YAML bites: size, nesting, and the number of values after anchors are expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from ..errors import ConfigError, Problem
from .findings import Path, kind_of, quote, show

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 64
MAX_VALUES = 100_000

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# ${NAME} may stand unquoted inside [] and {}, where YAML would take its braces for its own: while YAML reads, they
# are one private character each, so that columns stay what they are.
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SHIELDED = re.compile("\\$\ue000([A-Za-z_][A-Za-z0-9_]*)\ue001")

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,29})", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]{1,3})?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    re.ASCII,
)
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_OPENED = {"flow sequence": "the [", "flow mapping": "the {", "quoted scalar": "the quotation mark"}


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping read from YAML. ``lines`` counts from 1 and is empty for data that never was text."""

    data: Mapping[str, Any]
    file: str = ""
    lines: Mapping[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """The line of the value, or of the nearest one around it that is there; 0 when unknown."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)

    def problem(self, path: Path, message: str) -> Problem:
        return Problem(show(path), message, self.line(path), self.file)


def scalar(text: str) -> str | int | float | bool | None:
    """What an unquoted piece of text stands for."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= 64:
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def read(content: str | bytes, file: str = "") -> Document:
    """Raises ``ConfigError`` with line and column for anything that is not one mapping in YAML."""
    text = _text(content, file)
    shielded = _REFERENCE.sub("$\ue000\\1\ue001", text)
    try:
        root = _Composer(file).compose(yaml.parse(shielded, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        raise _refused(file, *_plain_words(error, shielded)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, max(error.position, 0)) + 1
        raise _refused(file, f"this is not a text file ({error.reason})", line) from None
    reader = _Expander(file)
    data = reader.value(root, (), 0) if root is not None else None
    if reader.problems:
        raise ConfigError(reader.problems)
    if not isinstance(data, dict):
        what = "the file is empty" if data is None else f"the file holds {kind_of(data)}"
        raise _refused(file, f"{what}: it must hold keys and values, such as server: {{port: 8080}}", 1)
    return Document(data, file, reader.lines)


def read_file(path: str) -> Document:
    """As ``read``; a file that can not be read is a ``ConfigError`` too."""
    return read(file_content(path), path)


def file_content(path: str) -> bytes:
    """No more than one byte above what ``read`` accepts. Raises ``ConfigError``."""
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _refused(path, f"can not be read: {(error.strerror or 'unknown reason').lower()}") from None
    except ValueError:
        raise _refused(path, "can not be read: this is no path") from None


def _text(content: str | bytes, file: str) -> str:
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogatepass")
    if len(content) > MAX_BYTES:
        raise _refused(file, f"larger than {MAX_BYTES // 1024**2} MiB: this can not be a configuration")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused(file, "this is not a text file in UTF-8", line) from None


def _refused(file: str, message: str, line: int = 0) -> ConfigError:
    return ConfigError([Problem("", message, line, file)])


def _plain_words(error: yaml.MarkedYAMLError, text: str) -> tuple[str, int]:
    """What the YAML reader stumbled over, and the line."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    problem = f"{error.context or ''} {error.problem or ''}".strip()
    if "cannot start any token" in problem:
        culprit = "".join(text.splitlines()[line : line + 1])[column : column + 1]
        tab = culprit == "\t"
        why = (
            "a tab indents this line: use spaces" if tab else f'text that starts with {culprit} must stand in "quotes"'
        )
    elif "mapping values are not allowed" in problem:
        why = 'a colon where none may be: check the indentation, or put the text in "quotes"'
    else:
        opened = next((words for what, words in _OPENED.items() if what in (error.context or "")), None)
        begun = error.context_mark
        if opened is None or begun is None:
            why = problem
        else:
            why = f"{opened} on line {begun.line + 1} is not closed where it must be"
            if "end of stream" in problem:
                line, column = begun.line, begun.column
    return f"not valid YAML at column {column + 1}: {why}", line + 1


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


@dataclass(slots=True)
class _Node:
    """A scalar's text, a list of nodes, or a list of (key, value) pairs. An alias is the very node it names."""

    value: Any
    kind: str
    line: int
    plain: bool = False
    anchor: str | None = None


class _Composer:
    """Events → nodes, without recursion: nesting is bounded before anything walks it."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._anchors: dict[str, _Node] = {}
        self._open: list[_Node] = []
        self._root: _Node | None = None
        self._values = 0

    def compose(self, events: Iterator[yaml.Event]) -> _Node | None:
        """``None`` for an empty document."""
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._refused("a second document starts here: one file holds one configuration", event)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self._close()
            elif isinstance(event, yaml.AliasEvent):
                self._add(self._aliased(event))
            elif isinstance(event, yaml.NodeEvent):
                self._start(event)
        return self._root

    def _start(self, event: yaml.NodeEvent) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise self._refused(f"more than {MAX_VALUES} values: this can not be a configuration", event)
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise self._refused(f"the tag {quote(tag)} has no meaning here: remove it", event)
        line = _line(event)
        if isinstance(event, yaml.ScalarEvent):
            text = _SHIELDED.sub(r"${\1}", event.value)
            node = _Node(text, "scalar", line, plain=event.style in (None, ""), anchor=event.anchor)
            self._anchor(node)
            self._add(node)
            return
        kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
        self._open.append(_Node([], kind, line, anchor=event.anchor))
        if len(self._open) > MAX_DEPTH:
            raise self._refused(f"nested more than {MAX_DEPTH} deep", event)

    def _close(self) -> None:
        node = self._open.pop()
        if node.kind == "mapping":
            node.value = list(zip(node.value[::2], node.value[1::2], strict=True))
        self._anchor(node)
        self._add(node)

    def _anchor(self, node: _Node) -> None:
        # Only now: a node can not contain itself.
        if node.anchor is not None:
            self._anchors[node.anchor] = node

    def _aliased(self, event: yaml.AliasEvent) -> _Node:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            raise self._refused(f"*{event.anchor}: nothing before it is called &{event.anchor}", event)
        return node

    def _add(self, node: _Node) -> None:
        if self._open:
            self._open[-1].value.append(node)
        else:
            self._root = node

    def _refused(self, message: str, event: yaml.Event) -> ConfigError:
        return _refused(self._file, message, _line(event))


class _Expander:
    """Nodes → plain data, with every alias and merge key (``<<``) written out."""

    def __init__(self, file: str) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self._file = file
        self._values = 0

    def value(self, node: _Node, path: Path, depth: int) -> Any:
        self._count(node)
        if depth > MAX_DEPTH:
            self._stop(node, f"nested more than {MAX_DEPTH} deep once its aliases are written out")
        self.lines.setdefault(path, node.line)
        if node.kind == "scalar":
            return scalar(node.value) if node.plain else node.value
        if node.kind == "list":
            return [self.value(item, (*path, i), depth + 1) for i, item in enumerate(node.value)]
        data: dict[str, Any] = {}
        for key, value in self._pairs(node, path, depth):
            self.lines[(*path, key.value)] = key.line
            data[key.value] = self.value(value, (*path, key.value), depth + 1)
        return data

    def _pairs(self, node: _Node, path: Path, depth: int) -> list[tuple[_Node, _Node]]:
        """A mapping's pairs: its own, and of those that it merges in the ones that it does not have itself."""
        if depth > MAX_DEPTH:
            self._stop(node, f"nested more than {MAX_DEPTH} deep once its aliases are written out")
        own: dict[str, tuple[_Node, _Node]] = {}
        merged: dict[str, tuple[_Node, _Node]] = {}
        for key, value in node.value:
            self._count(key)
            if key.kind != "scalar" or not key.value:
                self._problem(path, "a key must be text", key.line)
            elif key.plain and key.value == "<<":
                for pair in self._merged(value, path, depth):
                    merged.setdefault(pair[0].value, pair)
            elif key.value in own:
                first = own[key.value][0].line
                self._problem((*path, key.value), f"stands twice, first on line {first}: keep one of them", key.line)
            else:
                own[key.value] = (key, value)
        return list({**merged, **own}.values())

    def _merged(self, node: _Node, path: Path, depth: int) -> list[tuple[_Node, _Node]]:
        sources = node.value if node.kind == "list" else [node]
        if any(source.kind != "mapping" for source in sources):
            self._problem((*path, "<<"), "merges in a mapping or a list of mappings only", node.line)
            return []
        return [pair for source in sources for pair in self._pairs(source, path, depth + 1)]

    def _count(self, node: _Node) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            self._stop(node, f"more than {MAX_VALUES} values once its aliases are written out")

    def _problem(self, path: Path, message: str, line: int) -> None:
        self.problems.append(Problem(show(path), message, line, self._file))

    def _stop(self, node: _Node, message: str) -> NoReturn:
        raise _refused(self._file, message, node.line)
