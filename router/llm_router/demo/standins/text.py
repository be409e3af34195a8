"""The stand-ins' words and the way they count tokens.

One token is four characters, rounded up, in every stand-in: near what the real tokenizers give for English, and
simple enough that a test can compute what a bill must say. A picture or file counts ``TOKENS_PER_ATTACHMENT``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from zlib import crc32

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_ATTACHMENT = 85

_SHORT_ANSWER_TOKENS = 20
_LONG_ANSWER_TOKENS = 240
_MOST_TOKENS = 600
_ASKS_FOR_MUCH = re.compile(r"\b(analy[sz]|compar|detail|essay|evaluat|explain|report|step by step|summar)", re.I)

_SUBJECTS = ("the cluster", "a cache", "this model", "the queue", "our budget", "each region", "this node", "the gate")
_VERBS = ("reads", "serves", "weighs", "keeps", "moves", "answers", "measures", "spends")
_OBJECTS = ("every request", "the prompt", "a token", "its share", "the next batch", "live prices", "one slot", "less")
_ENDS = ("in time", "at low cost", "without delay", "before noon", "under load", "on demand", "as planned", "with care")


def count_tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def wanted_tokens(question: str) -> int:
    """How long an answer to ``question`` naturally is: about 20 tokens, hundreds where it asks for an analysis, more
    for longer questions. The same question always gives the same length."""
    base = _LONG_ANSWER_TOKENS if _ASKS_FOR_MUCH.search(question) else _SHORT_ANSWER_TOKENS
    tokens = base + count_tokens(question) // 4
    return min(_MOST_TOKENS, tokens * (80 + crc32(question.encode()) % 41) // 100)


def compose(seed: str, tokens: int) -> str:
    """Pseudo-English of whole sentences, the first that reaches ``tokens`` tokens; the same for the same seed."""
    text = ""
    for sentence in _sentences(seed):
        text = f"{text} {sentence}" if text else sentence
        if count_tokens(text) >= tokens:
            break
    return text


def words(text: str) -> list[str]:
    """``text`` in the pieces that a stream carries: words, each with the space before it. Joined they are ``text``."""
    return re.findall(r"\s*\S+|\s+$", text)


def _sentences(seed: str) -> Iterator[str]:
    for number in count():
        noise = crc32(f"{number} {seed}".encode())
        parts = []
        for choices in (_SUBJECTS, _VERBS, _OBJECTS, _ENDS):
            parts.append(choices[noise % len(choices)])
            noise >>= 5
        yield " ".join(parts).capitalize() + "."
