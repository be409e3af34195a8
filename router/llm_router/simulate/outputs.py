"""How long answers are, learnt from those that came: the mean, by size of the prompt."""

from __future__ import annotations

from collections import defaultdict

FIRST_GUESS = 150
KNOWN_FROM = 20


class ExpectedOutputs:
    """Buckets by the power of two of the prompt's tokens; ``FIRST_GUESS`` until ``KNOWN_FROM`` answers were seen."""

    def __init__(self) -> None:
        self._seen: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])

    def expected(self, input_tokens: int) -> int:
        count, tokens = self._seen[input_tokens.bit_length()]
        return FIRST_GUESS if count < KNOWN_FROM else max(1, round(tokens / count))

    def learn(self, input_tokens: int, output_tokens: int) -> None:
        seen = self._seen[input_tokens.bit_length()]
        seen[0] += 1
        seen[1] += output_tokens
