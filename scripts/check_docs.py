#!/usr/bin/env python3
"""Checks that what the Markdown documents name is there: linked files and headings, files of the repository, make
targets, and ``llm-router`` commands with their options. Prints ``file:line: problem``; exit code 1 where there is one.

    python scripts/check_docs.py [ROOT]
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import click

_FENCE = re.compile(r"^\s*(```+|~~~+)\s*(\w*)")
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)>\s]+)>?[^)]*\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")
_SHELL = frozenset({"sh", "bash", "shell", "console"})
_ENDS_A_COMMAND = frozenset({"|", "||", "&&", "&", ";", ">", ">>", "<", "2>", "2>&1", "#"})


class Line(NamedTuple):
    """One line of a document: its prose without code, and the pieces of code that a shell could run."""

    number: int
    prose: str
    codes: tuple[str, ...]
    heading: str


@dataclass(frozen=True)
class Document:
    """One Markdown file, read line by line with fenced blocks told apart."""

    path: Path

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        return tuple(self._read())

    def _read(self) -> Iterator[Line]:
        fence, language = "", ""
        for number, text in enumerate(self.path.read_text().splitlines(), 1):
            found = _FENCE.match(text)
            if found and not fence:
                fence, language = found[1], found[2]
            elif found and found[1].startswith(fence) and not found[2]:
                fence = ""
            elif fence:
                yield Line(number, "", (text.removeprefix("$ "),) if language in _SHELL else (), "")
            else:
                heading = _HEADING.match(text)
                prose = _CODE.sub(" ", text)
                yield Line(number, prose, tuple(_CODE.findall(text)), heading[1] if heading else "")

    @cached_property
    def anchors(self) -> frozenset[str]:
        """The fragments that GitHub makes of the headings; of equal ones the later are numbered."""
        anchors: list[str] = []
        for line in self.lines:
            if line.heading:
                slug = re.sub(r"[^\w\- ]", "", line.heading.lower()).replace(" ", "-")
                again = sum(1 for anchor in anchors if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", anchor))
                anchors.append(f"{slug}-{again}" if again else slug)
        return frozenset(anchors)


@dataclass(frozen=True)
class Checker:
    """Knows the repository at ``root`` and the command that it installs."""

    root: Path
    command: click.Command

    def problems(self, document: Document) -> Iterator[tuple[int, str]]:
        """(line, what is wrong) for each thing that ``document`` names and that is not there."""
        for line in document.lines:
            for target in _LINK.findall(line.prose):
                yield from ((line.number, problem) for problem in self._link(document, target))
            for code in line.codes:
                yield from ((line.number, problem) for problem in self._code(code))

    def _link(self, document: Document, target: str) -> Iterator[str]:
        if re.match(r"[a-z][a-z+.-]*:", target):
            return
        name, _, fragment = unquote(target).partition("#")
        path = (document.path.parent / name).resolve() if name else document.path
        if not path.exists():
            yield f"link to {name}, which is not there"
        elif fragment and path.suffix == ".md" and fragment not in _document(path).anchors:
            yield f"link to {target}, which has no such heading"

    def _code(self, code: str) -> Iterator[str]:
        try:
            words = shlex.split(code, comments=True)
        except ValueError:
            return
        for at, word in enumerate(words):
            rest = _until_the_command_ends(words[at + 1 :])
            if word == "make" and (at == 0 or words[at - 1] in _ENDS_A_COMMAND):
                yield from self._make(rest)
            elif word.rpartition("/")[2] == "llm-router" and "=" not in word:
                yield from self._llm_router(rest)
            elif self._is_a_path_here(word) and not (self.root / word.partition(":")[0]).exists():
                yield f"{word} is not there"

    def _make(self, words: list[str]) -> Iterator[str]:
        for word in words:
            if re.fullmatch(r"[a-z][a-z-]*", word) and word not in self._targets:
                yield f"make has no target {word}"

    def _llm_router(self, words: list[str]) -> Iterator[str]:
        command, path = self.command, "llm-router"
        for word in words:
            if word.startswith("--"):
                option = word.partition("=")[0]
                if option not in {"--help", *(name for param in command.params for name in _names(param))}:
                    yield f"{path} has no option {option}"
            elif isinstance(command, click.Group) and re.fullmatch(r"[a-z][a-z-]*", word):
                if word not in command.commands:
                    yield f"{path} has no command {word}"
                    return
                command, path = command.commands[word], f"{path} {word}"

    def _is_a_path_here(self, word: str) -> bool:
        first, slash, _ = word.partition("/")
        return bool(slash and first in self._folders and re.fullmatch(r"[\w./:-]+", word))

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(path.name for path in self.root.iterdir() if path.is_dir())

    @cached_property
    def _targets(self) -> frozenset[str]:
        return frozenset(re.findall(r"^([a-z][a-z-]*):", (self.root / "Makefile").read_text(), re.MULTILINE))


@cache
def _document(path: Path) -> Document:
    return Document(path)


def _names(param: click.Parameter) -> list[str]:
    return [*param.opts, *param.secondary_opts]


def _until_the_command_ends(words: list[str]) -> list[str]:
    for at, word in enumerate(words):
        if word in _ENDS_A_COMMAND:
            return words[:at]
    return words


def markdown_files(root: Path) -> list[Path]:
    """The project's own Markdown files: those that git tracks, or would."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(root / name for name in names if name and (root / name).exists())


def main(arguments: list[str]) -> int:
    from llm_router.cli import main as llm_router

    root = Path(arguments[0] if arguments else ".").resolve()
    checker = Checker(root, llm_router)
    files = markdown_files(root)
    found = 0
    for path in files:
        for number, problem in checker.problems(_document(path)):
            print(f"{path.relative_to(root)}:{number}: {problem}")
            found += 1
    print(f"{len(files)} documents, {found} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
