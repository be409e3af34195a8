"""How demanding a task is, judged by its words and its shape alone: no model, no network, microseconds.

Each feature is a strength in 0..1 that only grows as a text grows. With weights ``w ≥ 0`` the score is
``1 - exp(-Σ w·strength)``: 0 for an empty text, every feature only adds, none is enough to reach 1. The weights come
from ``complexity_weights``, which ``scripts/complexity/train.py`` writes; docs/benchmarks-complexity.md says how good
they are on subjects that they were not trained on.

========= ================================================================ =========================
feature   what it counts                                                   full strength at
========= ================================================================ =========================
length    square root of the characters of the whole text                  4 000
negation  words that negate (not, except, neither)                         8
commas    commas beyond the first                                          20
clauses   ends of sentences and clauses beyond the first                   20
longwords words of nine letters and more, beyond the first                 40
thought   different words that ask for thought (analyse, prove), squared   4
steps     different words that bind several steps (then, both), squared    4
questions question marks beyond the first                                  3
list      lines that are items of a list                                   6
code      marks of program code                                            3
maths     marks of mathematics                                             4
========= ================================================================ =========================

The words are English; length, lists, code and maths speak for other languages.
"""

from __future__ import annotations

import math
import re

from .complexity_weights import WEIGHTS

COMPLEX = 0.5
"""From here on a task counts as complex: targets that declare ``simple-tasks`` only do not take it."""

SCANNED_CHARACTERS = 8_000
"""How much of the text is looked at. A longer one has its full length score anyway."""

LONG_CHARACTERS = 4_000
"""What is this long is complex for its length alone, in any language."""

FEATURES = (
    "length",
    "negation",
    "commas",
    "clauses",
    "longwords",
    "thought",
    "steps",
    "questions",
    "list",
    "code",
    "maths",
)

_THOUGHT = """
algorithm analyse analyze analysis analysing analyzing analytical architect architecture argue argument assess
assessment calculate causes compare comparing comparison complexity conclude consequences contrast critically critique
debate debug deduce demonstrate derivation derive design detailed determine diagnose disprove distinguish essay
estimate evaluate evaluating evaluation evidence examine explain explaining formulate generalise generalize hypothesis
implement implementation implications improve infer integrate interpret investigate justify lemma methodology optimise
optimisation optimize optimization outline predict proof propose prove rationale reason reasoning recommend refactor
refute research rigorous simulate solve strategy synthesise synthesize theorem thorough thoroughly trade-off
trade-offs tradeoff tradeoffs transform validate verify why
"""
_BINDING = """
additionally after afterwards also although before both each finally first firstly furthermore given hence however
including let lastly moreover must next once provided second secondly should step steps suppose therefore third then
thirdly thus unless whereas whether while
"""
_NEGATING = """
aren cannot didn doesn don except false hadn hasn haven incorrect isn least neither never no none nor not shouldn
unless unlike wasn weren without won wouldn wrong
"""
_REASONING, _STEPS, _NEGATIONS = (frozenset(words.split()) for words in (_THOUGHT, _BINDING, _NEGATING))
_CODE = ("```", "def ", "class ", "return ", "import ", "function ", "select ", "=>", "();", "){", "#include", "</")
_MATHS = ("\\frac", "\\sum", "\\int", "$$", "^2", "^{", " = ", "≤", "≥", "∑", "∫", "√", "∈", "≠", " mod ", "f(x)")

_BLANKS = str.maketrans({mark: " " for mark in ".,;:!?()[]{}\"'’`*_/<>=+|\\"})
_LIST_ITEM = re.compile(r"^[ \t]{0,8}(?:[-*•]|\(?[0-9]{1,2}[.)]|\(?[a-h]\))[ \t]", re.MULTILINE)
_LONG_WORD = 9


def score(text: str) -> float:
    """0 for a greeting up to nearly 1 for a long, many-sided task; the same text always gives the same figure."""
    return 1.0 - math.exp(-sum(weight * strength for weight, strength in zip(WEIGHTS, strengths(text), strict=True)))


def strengths(text: str) -> tuple[float, ...]:
    """How strong each of ``FEATURES`` is in the text, 0..1."""
    scanned = text[:SCANNED_CHARACTERS].lower()
    words = scanned.translate(_BLANKS).split()
    different = set(words)
    clauses = scanned.count(". ") + scanned.count("; ") + scanned.count(": ")
    return (
        _share(len(text), LONG_CHARACTERS) ** 0.5,
        _share(sum([word in _NEGATIONS for word in words]), 8),
        _share(scanned.count(",") - 1, 20),
        _share(clauses - 1, 20),
        _share(sum([len(word) >= _LONG_WORD for word in words]) - 1, 40),
        _share(len(different & _REASONING), 4) ** 2,
        _share(len(different & _STEPS), 4) ** 2,
        _share(scanned.count("?") - 1, 3),
        _share(len(_LIST_ITEM.findall(scanned)), 6),
        _share(sum([mark in scanned for mark in _CODE]), 3),
        _share(sum([mark in scanned for mark in _MATHS]), 4),
    )


def _share(count: int, full: int) -> float:
    return min(1.0, max(0.0, count / full))
