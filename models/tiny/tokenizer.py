"""Byte-level BPE as GPT-2 defined it: what llama.cpp calls tokenizer model ``gpt2``, pre-tokenizer ``gpt-2``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from itertools import pairwise

Pair = tuple[str, str]

# GPT-2's pattern with the letters and digits of ASCII in place of Unicode's: the training text has next to no others.
_PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")

END_OF_TEXT = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
CONTROL_TOKENS = (END_OF_TEXT, TURN_START, TURN_END)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""ChatML, as ``Tokenizer.turn`` writes it."""


def _byte_letters() -> list[str]:
    """GPT-2's printable letter for each byte: itself where it is visible, else the next free one from U+0100 on."""
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = iter(range(0x100, 0x200))
    return [chr(byte if byte in visible else next(spare)) for byte in range(0x100)]


_LETTERS = _byte_letters()


def _letters(piece: str) -> tuple[str, ...]:
    return tuple(_LETTERS[byte] for byte in piece.encode())


def _merge(symbols: tuple[str, ...], pair: Pair) -> tuple[str, ...]:
    """``symbols`` with each occurrence of ``pair``, from the left, made one."""
    merged: list[str] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return tuple(merged)


def learn_merges(texts: Iterable[str], rarest: int) -> list[Pair]:
    """Merges the most frequent pair until none is left that occurs ``rarest`` times; ties go to what sorts last."""
    words = Counter(_letters(piece) for text in texts for piece in _PIECES.findall(text))
    merges: list[Pair] = []
    while True:
        pairs: Counter[Pair] = Counter()
        for word, count in words.items():
            for pair in pairwise(word):
                pairs[pair] += count
        best = max(pairs, key=lambda pair: (pairs[pair], pair), default=None)
        if best is None or pairs[best] < rarest:
            return merges
        merges.append(best)
        words = Counter({_merge(word, best): count for word, count in words.items()})


class Tokenizer:
    """Text ↔ token ids for one list of merges. Ids: the 256 bytes, the merges in order, the control tokens."""

    def __init__(self, merges: list[Pair]) -> None:
        self.merges = merges
        self.vocabulary = [*_LETTERS, *("".join(pair) for pair in merges), *CONTROL_TOKENS]
        self._cache: dict[str, list[int]] = {}

    @cached_property
    def ids(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.vocabulary)}

    @cached_property
    def _ranks(self) -> dict[Pair, int]:
        return {pair: rank for rank, pair in enumerate(self.merges)}

    def encode(self, text: str) -> list[int]:
        """The ids of plain text: control tokens inside it are letters like any others."""
        ids: list[int] = []
        for piece in _PIECES.findall(text):
            if piece not in self._cache:
                self._cache[piece] = self._encode_piece(piece)
            ids += self._cache[piece]
        return ids

    def _encode_piece(self, piece: str) -> list[int]:
        symbols, never = _letters(piece), len(self.merges)
        while len(symbols) > 1:
            best = min(pairwise(symbols), key=lambda pair: self._ranks.get(pair, never))
            if best not in self._ranks:
                break
            symbols = _merge(symbols, best)
        return [self.ids[symbol] for symbol in symbols]

    def turn(self, role: str, text: str) -> tuple[list[int], list[int]]:
        """One turn of a chat: the ids up to where the role begins to speak, and those of what it says."""
        opening = [self.ids[TURN_START], *self.encode(f"{role}\n")]
        return opening, [*self.encode(text), self.ids[TURN_END], *self.encode("\n")]
