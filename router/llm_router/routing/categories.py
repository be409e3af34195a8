"""Categories of prompts that the operator describes by examples: which of them does a prompt belong to?

How alike a prompt and an example are can be told by letters or by meanings. ``Lexical`` needs no model: both become
vectors of the character trigrams of their words, weighted by how rarely the examples have them (tf-idf, as in Salton
and Buckley 1988), and their cosine counts. It knows word forms and typing errors. ``Meanings`` compares embeddings that
somebody made of both.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import mul

from ..config import schema
from .complexity import COMPLEX

SCANNED_CHARACTERS = 2_000
"""How much of a prompt is compared: what it is about shows at its beginning."""

_WORD = re.compile(r"\w+")


class Lexical:
    """Similarity by character trigrams. ``examples`` are by category. Called with a text, it says for each category,
    0..1, how alike the text and its most similar example are; what is 0 is left out."""

    def __init__(self, examples: Mapping[str, Sequence[str]]) -> None:
        texts = [(name, Counter(_trigrams(text))) for name, several in examples.items() for text in several]
        occurrences = Counter(gram for _, counts in texts for gram in counts)
        self._rarity = {gram: 1.0 + math.log((1 + len(texts)) / (1 + n)) for gram, n in occurrences.items()}
        self._unknown = 1.0 + math.log(1 + len(texts))
        self._owners = [name for name, _ in texts]
        self._postings: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, (_, counts) in enumerate(texts):
            weights = self._weighed(counts)
            size = math.hypot(*weights.values())
            for gram, weight in weights.items():
                self._postings[gram].append((number, weight / size))

    def __call__(self, text: str) -> Mapping[str, float]:
        weights = self._weighed(Counter(_trigrams(text[:SCANNED_CHARACTERS])))
        size = math.hypot(*weights.values())
        products = [0.0] * len(self._owners)
        for gram, weight in weights.items():
            for number, share in self._postings.get(gram, ()):
                products[number] += weight * share
        best: dict[str, float] = {}
        for owner, product in zip(self._owners, products, strict=True):
            if product:
                best[owner] = max(best.get(owner, 0.0), min(1.0, product / size))
        return best

    def _weighed(self, counts: Mapping[str, int]) -> dict[str, float]:
        return {gram: (1.0 + math.log(n)) * self._rarity.get(gram, self._unknown) for gram, n in counts.items()}


class Meanings:
    """Similarity by what is meant: the cosine of embeddings. Vectors are of length 1; ``examples`` are by category."""

    def __init__(self, examples: Mapping[str, Sequence[Sequence[float]]]) -> None:
        self._examples = {name: tuple(vectors) for name, vectors in examples.items()}
        self._size = next((len(vector) for vectors in self._examples.values() for vector in vectors), 0)

    def __call__(self, vector: Sequence[float]) -> Mapping[str, float]:
        """As ``Lexical`` says it of texts. Raises ``ValueError`` for a vector of another size."""
        if len(vector) != self._size:
            raise ValueError(f"the examples have vectors of {self._size} numbers, this one has {len(vector)}")
        cosines = {name: [sum(map(mul, vector, one)) for one in several] for name, several in self._examples.items()}
        return {name: max(0.0, *(min(1.0, cosine) for cosine in several)) for name, several in cosines.items()}


class Categories:
    """The configured categories, ready to be asked."""

    def __init__(self, categories: Sequence[schema.Category] = ()) -> None:
        self._categories = tuple(categories)
        self._lexical = Lexical({c.name: c.examples for c in self._categories})

    def __bool__(self) -> bool:
        return bool(self._categories)

    def of(self, text: str) -> frozenset[str]:
        """The names of those that the text belongs to by its letters; it may be several, or none."""
        if not self._categories or not text:
            return frozenset()
        alike = self._lexical(text)
        return frozenset(c.name for c in self._categories if alike.get(c.name, 0.0) >= c.min_similarity)

    def meant(self, cosines: Mapping[str, float]) -> frozenset[str]:
        """The names of those that a text of these cosines belongs to."""
        return frozenset(c.name for c in self._categories if cosines.get(c.name, 0.0) >= c.min_cosine)

    def complexity(self, scored: float, names: frozenset[str]) -> float:
        """The complexity that a prompt of these categories counts with: at least ``COMPLEX`` where one of them takes
        complex-tasks; below it where one takes simple-tasks and none complex ones; else as it was scored."""
        taken = {c.capability for c in self._categories if c.name in names}
        if "complex-tasks" in taken:
            return max(scored, COMPLEX)
        return min(scored, math.nextafter(COMPLEX, 0.0)) if "simple-tasks" in taken else scored


NO_CATEGORIES = Categories()


def _trigrams(text: str) -> Iterable[str]:
    """Of each word with a blank at both ends, so that beginnings and ends count as such."""
    for word in _WORD.findall(text.lower()):
        padded = f" {word} "
        for at in range(len(padded) - 2):
            yield padded[at : at + 3]
