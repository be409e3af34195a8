"""Where in a configuration something was found: paths, findings, and the words in which they are told."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

Path = tuple[str | int, ...]
"""Keys and list positions from the top: ``("clusters", 0, "costPerHour")``."""


class Finding(NamedTuple):
    """``message`` says what is wrong and what to do."""

    path: Path
    message: str


def show(path: Path) -> str:
    """``clusters[0].costPerHour``; keys with other characters as in JSON: ``router.modelMapping["gpt-4.1"]``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", step):
            text += f".{step}" if text else step
        else:
            text += f"[{quote(step)}]"
    return text


def path_of(shown: str) -> Path:
    """The path that ``show`` shows so; of plain keys only."""
    return tuple(int(index) if index else key for index, key in re.findall(r"\[(\d+)]|([^.\[\]]+)", shown))


def quote(text: str) -> str:
    """For a message: in double quotes, on one line, cut where it is long."""
    return json.dumps(text if len(text) <= 60 else text[:57] + "…", ensure_ascii=not text.isprintable())


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was most likely meant: spelled otherwise (``cost_per_hour``) or mistyped."""
    by_plain = {_plain(k): k for k in known}
    found = difflib.get_close_matches(_plain(word), by_plain, n=1, cutoff=0.7)
    return by_plain[found[0]] if found else None


def _plain(word: str) -> str:
    return re.sub(r"[_\W]", "", word).casefold()


def meant(word: str, known: Iterable[str]) -> str:
    """`` — did you mean "x"?``, or what is known, or nothing: to be put behind a message."""
    known = list(known)
    near = nearest(word, known)
    if near is not None:
        return f"; did you mean {quote(near)}?"
    return f"; known here: {', '.join(known)}" if known else ""


def kind_of(value: object) -> str:
    """What a reader sees in the file: "a list", "the number 3", …"""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {quote(value)}" if value else "an empty text"
    return "a mapping" if isinstance(value, Mapping) else "a list"
