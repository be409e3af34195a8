"""How much llama.cpp writes out for the pattern of a string, and how many places in it are kept in mind at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

MOST = 1_000_000
"""Of either, from which on counting ends."""
_NUMBER = re.compile("[0-9]+")


class Part(NamedTuple):
    repeats: int
    """How many times its characters are written out: counts multiply what they follow, be it a group or another count;
    what stands beside each other adds up. Classes and escapes are one each."""
    live: int
    """How many places in it a next character may be for: all of what may be empty, as often as it is counted."""
    empty: bool
    """Whether it may be."""


_ONE = Part(1, 1, False)


@dataclass
class _Group:
    branches: list[list[Part]]

    def counted(self, least: int, most: int) -> Part:
        """Its last part, which a count, ``?``, ``*`` or ``+`` follows."""
        last = self.branches[-1]
        if last:
            repeats, live, empty = last[-1]
            last[-1] = Part(repeats * most, live * (most if empty else 1), empty or not least)
            return last[-1]
        return _ONE

    def whole(self) -> Part:
        parts = [part for branch in self.branches for part in branch]
        live = sum(_live(branch) for branch in self.branches)
        return Part(sum(part.repeats for part in parts), live, any(all(p.empty for p in b) for b in self.branches))


def _live(branch: list[Part]) -> int:
    return sum(part.live for part in branch if part.empty) + max((p.live for p in branch if not p.empty), default=0)


def whole(pattern: str) -> Part:
    """In about as many steps as it has characters; what llama.cpp refuses counts for as far as it is understood."""
    groups, at = [_Group([[]])], 0
    while at < len(pattern):
        char, end, part = pattern[at], at + 1, _ONE
        group = groups[-1]
        if char == "{":
            end = pattern.find("}", at) + 1
            if not end:
                break
            part = group.counted(*_count(pattern[at + 1 : end - 1]))
        elif char in "?*+":
            part = group.counted(char == "+", 1)
        elif char == "(":
            groups.append(_Group([[]]))
            end += 2 * pattern.startswith("?:", end)
        elif char == "|":
            group.branches.append([])
        elif char == ")" and len(groups) > 1:
            repeats, live, empty = groups.pop().whole()
            part = Part(max(repeats, 1), max(live, 1), empty)
            groups[-1].branches[-1].append(part)
        else:
            end = _end_of_part(pattern, at)
            group.branches[-1].append(_ONE)
        if max(part.repeats, part.live) > MOST:
            return part
        at = end
    wholes = [group.whole() for group in groups]
    return Part(sum(each.repeats for each in wholes), sum(each.live for each in wholes), False)


def _count(text: str) -> tuple[int, int]:
    """Least and most of a count, however its numbers are written: llama.cpp reads past blanks, signs and zeros."""
    numbers = [int(each.lstrip("0")[:9] or 0) for each in _NUMBER.findall(text)]
    least = 0 if not numbers or text.lstrip().startswith(",") else min(numbers)
    return least, max([1, *numbers])


def _end_of_part(pattern: str, at: int) -> int:
    """Where the character, the escape or the class that begins at ``at`` ends, or the pattern."""
    if pattern[at] != "[":
        return at + (2 if pattern[at] == "\\" else 1)
    at += 1
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    return at + 1
