"""The part of a chat that all protocols share: a question with its limits in, an answer with its tokens out."""

from __future__ import annotations

import json
from typing import Any, Literal

from msgspec import Struct, field

from . import text
from .samples import sample

Stop = Literal["end", "length", "sequence", "tool"]


class Tool(Struct, frozen=True):
    """A tool that a request offers. ``schema`` is the JSON Schema of its arguments."""

    name: str
    schema: dict[str, Any] = field(default_factory=dict)


class Ask(Struct, frozen=True, kw_only=True):
    """A request in neutral terms. The answer depends on all of ``prompt``, its length on ``question``, the last thing
    that the user said. ``tool`` is the one that the request forces, ``schema`` what a JSON answer must satisfy."""

    prompt: str
    question: str
    prompt_tokens: int
    max_tokens: int
    stops: tuple[str, ...] = ()
    tool: Tool | None = None
    schema: dict[str, Any] | None = None


class Answer(Struct, frozen=True, kw_only=True):
    """What came out: ``text`` (a tool's arguments as JSON where ``tool`` is set) and why it ended."""

    text: str
    stop: Stop
    sequence: str | None = None
    tool: Tool | None = None

    @property
    def tokens(self) -> int:
        return text.count_tokens(self.text) + (text.count_tokens(self.tool.name) if self.tool else 0)

    @property
    def pieces(self) -> list[str]:
        return text.words(self.text)


def answer(ask: Ask, choice: int = 0) -> Answer:
    """The answer to ``ask``: always the same for the same request and choice.

    A limit cuts in the middle of a word, as real tokenizers do, so that a cut answer has exactly ``max_tokens``.
    """
    said = _whole(ask, choice)
    found = [(said.find(stop), stop) for stop in ask.stops if stop and stop in said] if ask.tool is None else []
    position, sequence = min(found, default=(len(said), None))
    room = ask.max_tokens * text.CHARACTERS_PER_TOKEN
    if ask.tool is not None:
        room = max(0, ask.max_tokens - text.count_tokens(ask.tool.name)) * text.CHARACTERS_PER_TOKEN
    if position > room:
        return Answer(text=said[:room], stop="length", tool=ask.tool)
    if ask.tool is not None:
        return Answer(text=said, stop="tool", tool=ask.tool)
    return Answer(text=said[:position], stop="sequence" if sequence else "end", sequence=sequence)


def _whole(ask: Ask, choice: int) -> str:
    if ask.tool is not None:
        return json.dumps(sample({"type": "object", **ask.tool.schema}))
    if ask.schema is not None:
        return json.dumps(sample(ask.schema))
    return text.compose(f"{choice} {ask.prompt}", text.wanted_tokens(ask.question))
